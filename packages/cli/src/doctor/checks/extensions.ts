import { ident } from '@howdah/core'
import { type Check, type Finding, fact } from '../check.js'
import { mayRead } from '../may-read.js'

/** Extensions that something of ours can use, and what for. */
const USES: Readonly<Record<string, string>> = {
  pgmq: 'queues with engine pgmq',
  pg_cron: "schedules with driver: 'pg_cron'",
  pg_stat_statements: 'figures of each statement',
  pg_textsearch: 'search indexes with engine pg_textsearch',
  pg_search: 'search indexes with engine pg_search',
  unaccent: 'search that takes letters with accents for those without',
  vector: 'searches that rank by vectors, too',
}

interface Row {
  readonly name: string
  readonly installed: boolean
}

export const extensions: Check = {
  id: 'extensions',
  title: 'Extensions',
  async run({ query, schema, db }) {
    const rows = await query<Row>(
      `select a.name::text as name, a.installed_version is not null as installed
       from pg_available_extensions a where a.name = any ($1::text[]) order by 1`,
      [Object.keys(USES)],
    )
    const names = (installed: boolean) =>
      rows
        .filter((row) => row.installed === installed)
        .map(({ name }) => `${name} (${USES[name]})`)
        .join(', ')
    const findings: Finding[] = []
    if (names(true) !== '') findings.push(fact(`Installed: ${names(true)}.`))
    if (names(false) !== '') findings.push(fact(`Available: ${names(false)}.`))
    if (rows.length === 0) findings.push(fact('None of those that Howdah can use; it needs none.'))
    const cron = rows.some(({ name, installed }) => name === 'pg_cron' && installed)
    if (!cron && (await mayRead(query, schema, 'queue_schedule'))) {
      const [row] = await query<{ n: number }>(
        `select count(*)::int as n from ${db.schema}.${ident('queue_schedule')} c where c.driver = 'pg_cron' and not c.paused`,
      )
      if ((row?.n ?? 0) > 0) {
        findings.push({
          level: 'error',
          what: `${row?.n} schedule(s) are left to pg_cron, which is not installed in this database.`,
          costs: 'They never run.',
          mend: "create extension pg_cron; or set them again with driver: 'howdah'.",
        })
      }
    }
    return findings
  },
}
