import { ident } from '@howdah/core'
import { type Check, type Finding, fact } from '../check.js'

interface Settings {
  readonly autovacuum: boolean
  readonly counts: boolean
  readonly naptime: number
}
interface Table {
  readonly name: string
  readonly disabled: boolean
  readonly dead: number
  readonly live: number
}

/** Dead rows that queues and caches make between two runs without anything being wrong. */
const DEAD_ROWS = 1_000_000
const LONGEST_NAP_S = 600

export const autovacuum: Check = {
  id: 'autovacuum',
  title: 'Autovacuum',
  async run({ query, schema, db }) {
    const [row] = await query<Settings>(
      `select current_setting('autovacuum')::boolean as autovacuum, current_setting('track_counts')::boolean as counts,
        extract(epoch from current_setting('autovacuum_naptime')::interval)::int as naptime`,
    )
    const { autovacuum: on, counts, naptime } = row as Settings
    const findings: Finding[] = []
    for (const [name, value] of [
      ['autovacuum', on],
      ['track_counts', counts],
    ] as const) {
      if (value) continue
      findings.push({
        level: 'error',
        what: `${name} is off, so no table is vacuumed by itself.`,
        costs:
          'Tables of which every row goes soon, such as queue_ready, grow for ever, and every read of them gets slower.',
        mend: `alter system set ${name} = on; select pg_reload_conf();`,
      })
    }
    if (naptime > LONGEST_NAP_S) {
      findings.push({
        level: 'warning',
        what: `Autovacuum looks only every ${naptime} seconds (autovacuum_naptime).`,
        costs: 'Busy queues leave millions of dead rows between two looks.',
        mend: `alter system set autovacuum_naptime = '1min'; select pg_reload_conf();`,
      })
    }
    for (const { name, disabled, dead, live } of await query<Table>(TABLES, [schema])) {
      const table = `${db.schema}.${ident(name)}`
      if (disabled) {
        findings.push({
          level: 'error',
          what: `Autovacuum is disabled for ${table}.`,
          costs: 'The table grows for ever, and every read of it gets slower.',
          mend: `alter table ${table} reset (autovacuum_enabled);`,
        })
      } else if (dead > DEAD_ROWS && dead > live) {
        findings.push({
          level: 'warning',
          what: `${table} has some ${dead} dead rows beside ${live} live ones.`,
          costs: 'It takes room, and reads pass over them.',
          mend: `vacuum (analyze) ${table}; where they stay, see who pins the snapshot horizon.`,
        })
      }
    }
    return findings.length > 0 ? findings : [fact('Autovacuum is on for all tables.')]
  },
}

const TABLES = /* sql */ `
  select c.relname::text as name, coalesce((
      select o.option_value::boolean is false from pg_options_to_table(c.reloptions) o where o.option_name = 'autovacuum_enabled'), false) as disabled,
    coalesce(pg_stat_get_dead_tuples(c.oid), 0)::float8 as dead, coalesce(pg_stat_get_live_tuples(c.oid), 0)::float8 as live
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where n.nspname = $1::text and c.relkind = 'r' order by 1`
