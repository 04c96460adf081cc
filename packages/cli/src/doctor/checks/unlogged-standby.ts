import { type Check, type Finding, fact } from '../check.js'

interface Facts {
  readonly readonly: boolean
  readonly standbys: number
  readonly unlogged: readonly string[]
}

export const unloggedStandby: Check = {
  id: 'unlogged-standby',
  title: 'UNLOGGED tables and standbys',
  async run({ query, schema, server }) {
    const [row] = await query<Facts>(
      /* sql */ `
      select current_setting('default_transaction_read_only')::boolean as readonly,
        (select count(*) from pg_stat_replication)::int as standbys,
        to_jsonb(array(select c.relname::text from pg_class c join pg_namespace n on n.oid = c.relnamespace
          where n.nspname = $1::text and c.relkind = 'r' and c.relpersistence = 'u' order by 1)) as unlogged`,
      [schema],
    )
    const { readonly, standbys, unlogged } = row as Facts
    const findings: Finding[] = []
    if (server.standby) {
      findings.push({
        level: 'error',
        what: 'This server is a standby.',
        costs: 'Nothing can be written, and UNLOGGED tables cannot even be read.',
        mend: 'Point the pool at the primary, for example with target_session_attrs=read-write.',
      })
    } else if (readonly) {
      findings.push({
        level: 'error',
        what: `Transactions of role ${server.role} are read-only by default.`,
        costs: 'Every write of Howdah fails.',
        mend: `alter role ${server.role} set default_transaction_read_only = off;`,
      })
    }
    if (unlogged.length > 0) {
      findings.push(
        fact(
          `UNLOGGED, and so empty after a crash, a failover and a restore: ${unlogged.join(', ')}. That means misses and gaps, never a wrong answer.`,
        ),
      )
    }
    if (standbys > 0) findings.push(fact(`${standbys} standby(s) follow this server.`))
    return findings
  },
}
