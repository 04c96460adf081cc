import { type Check, type Finding, fact } from '../check.js'

interface Settings {
  readonly fsync: boolean
  readonly pages: boolean
  readonly commit: string
}

export const durability: Check = {
  id: 'durability',
  title: 'What survives a crash',
  async run({ query }) {
    const [row] = await query<Settings>(
      `select current_setting('fsync')::boolean as fsync, current_setting('full_page_writes')::boolean as pages,
        current_setting('synchronous_commit') as commit`,
    )
    const { fsync, pages, commit } = row as Settings
    const findings: Finding[] = []
    for (const [name, on] of [
      ['fsync', fsync],
      ['full_page_writes', pages],
    ] as const) {
      if (on) continue
      findings.push({
        level: 'error',
        what: `${name} is off.`,
        costs: 'A crash of the machine may leave the whole cluster corrupt, not only what is ours.',
        mend: `alter system set ${name} = on; select pg_reload_conf();`,
      })
    }
    if (commit === 'off') {
      findings.push({
        level: 'warning',
        what: 'synchronous_commit is off for this role.',
        costs:
          'A crash undoes the last moments of what was acknowledged: jobs, messages, sessions.',
        mend: 'Set it to on for the database and the role; Howdah itself switches it off where nothing depends on it.',
      })
    }
    return findings.length > 0 ? findings : [fact('Commits are on disk before they are answered.')]
  },
}
