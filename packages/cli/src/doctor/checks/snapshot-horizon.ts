import { type Check, type Finding, fact } from '../check.js'

/** Transactions behind which a holder whose age in time nobody tells is taken for an old one. */
const MANY_TRANSACTIONS = 1_000_000

interface Holder {
  readonly kind: 'session' | 'prepared' | 'slot' | 'standby'
  readonly name: string
  readonly about: string
  readonly age: number | null
  readonly xids: number | null
  /** Whether rows that died since cannot be removed. */
  readonly pins: boolean
}

export const snapshotHorizon: Check = {
  id: 'snapshot-horizon',
  title: 'Long transactions and the snapshot horizon',
  async run({ query, longMs, server }) {
    const holders = await query<Holder>(HOLDERS)
    const old = holders.filter(({ kind, age, xids }) =>
      age === null || kind === 'slot' ? (xids ?? 0) > MANY_TRANSACTIONS : age > longMs,
    )
    if (old.length > 0) return old.map(judge)
    return [
      fact(
        server.seesAll
          ? `No transaction is older than ${describeMs(longMs)}.`
          : `No transaction that this role sees is older than ${describeMs(longMs)}.`,
      ),
    ]
  },
}

function judge({ kind, name, about, age, xids, pins }: Holder): Finding {
  const since = age === null ? '' : `, for ${describeMs(age)}`
  const behind = pins && xids !== null ? `, ${xids} transactions back` : ''
  return {
    level: 'warning',
    what: `${NAMES[kind]} ${name}${about === '' ? '' : ` (${about})`} ${pins ? 'pins the snapshot horizon' : 'has a transaction open'}${since}${behind}.`,
    costs: pins
      ? 'Nothing that died since can be vacuumed, in any table of this database: queues and caches grow, and an old snapshot keeps notifications.'
      : 'It keeps its locks, and where it has said LISTEN, all notifications of the server.',
    mend: MENDS[kind](name),
  }
}

const NAMES = {
  session: 'Session',
  prepared: 'Prepared transaction',
  slot: 'Replication slot',
  standby: 'Standby',
}

const MENDS: Record<Holder['kind'], (name: string) => string> = {
  session: (pid) =>
    `Find what runs it and end it: select pg_terminate_backend(${pid}); and set idle_in_transaction_session_timeout.`,
  prepared: (name) => `commit prepared '${name}'; or rollback prepared '${name}';`,
  slot: (name) =>
    `Bring its consumer back, or: select pg_drop_replication_slot('${name}'); and set max_slot_wal_keep_size.`,
  standby: () =>
    'End the long query there, or set hot_standby_feedback = off on it and accept that such queries are cancelled.',
}

/** A snapshot in another database keeps nothing of ours, but for standbys and slots. */
const HOLDERS = /* sql */ `
  select 'session' as kind, a.pid::text as name,
    concat_ws(', ', nullif(a.usename, ''), nullif(a.application_name, ''), a.state, nullif(left(regexp_replace(a.query, '\\s+', ' ', 'g'), 80), '')) as about,
    (extract(epoch from clock_timestamp() - a.xact_start) * 1000)::float8 as age,
    age(coalesce(a.backend_xmin, a.backend_xid)) as xids, a.backend_xmin is not null or a.backend_xid is not null as pins
  from pg_stat_activity a
  where a.pid <> pg_backend_pid() and a.datname = current_database() and a.backend_type <> 'autovacuum worker'
    and (a.xact_start is not null or a.backend_xmin is not null or a.backend_xid is not null)
  union all
  select 'prepared', p.gid, p.owner::text, (extract(epoch from clock_timestamp() - p.prepared) * 1000)::float8, age(p.transaction), true
  from pg_prepared_xacts p where p.database = current_database()
  union all
  select 'slot', s.slot_name::text, case when s.active then 'active' else 'nobody reads it' end, null, age(coalesce(s.xmin, s.catalog_xmin)), true
  from pg_replication_slots s where s.xmin is not null or s.catalog_xmin is not null
  union all
  select 'standby', r.application_name, coalesce(r.client_addr::text, ''), null, age(r.backend_xmin), true
  from pg_stat_replication r where r.backend_xmin is not null
  order by 5 desc nulls last`

export function describeMs(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`
  const s = Math.round(ms / 1000)
  if (s < 120) return `${s} s`
  return s < 7200 ? `${Math.round(s / 60)} min` : `${Math.round(s / 3600)} h`
}
