import { defineStatement, type Statement } from '@howdah/core'
import { joined, texts } from './lists.js'
import { micros, ms, NOW } from './time.js'

/** Stands between what is known of a session and its data. */
export const DATA_MARK = '\u001e'

/** What a read answers: one text a session, empty where there is none, and the server's time in milliseconds. */
export interface ReadRow {
  readonly found: string | null
  readonly now: number
}

/** A session as one text. It begins with its hash, so that whoever asked can tell that it is the one they asked for. */
function carried(s: string): string {
  return `encode(${s}.id_hash, 'hex'::text) || ' '::text || ${s}.version || ' '::text || ${ms(`${s}.expires_at`)} || ' '::text
        || ${micros(`${s}.created_at`)} || ' '::text || coalesce(pg_catalog.to_json(${s}.user_id)::text, ''::text) || E'\\x1e'::text || ${s}.data`
}

/**
 * Reads live sessions into one text, in the order asked for: a row for each costs the driver more than the server takes to find it. `offset 0` keeps the order,
 * since the planner then can only take them one after another.
 */
export const readSessions: (
  schema: string,
  name: string,
  hashes: readonly string[],
) => Statement<ReadRow> = defineStatement(
  'session.read',
  (s) => /* sql */ `
    select pg_catalog.string_agg(coalesce(v.found, ''::text), E'\\x1f'::text) as found, ${NOW}
    from pg_catalog.unnest(${texts('$2')}) as k(hash)
    left join lateral (
      select ${carried('s')} as found from ${s}.session s
      where s.name = $1::text and s.id_hash = decode(k.hash, 'hex'::text) and s.expires_at > statement_timestamp()
      offset 0
    ) v on true`,
  (name, hashes) => [name, joined(hashes)],
)

/** Reads one live session, without the lists that a single look-up has no use for. */
export const readSession: (schema: string, name: string, hash: string) => Statement<ReadRow> =
  defineStatement(
    'session.read.one',
    (s) => /* sql */ `
    select ${carried('s')} as found, ${NOW} from ${s}.session s
    where s.name = $1::text and s.id_hash = decode($2::text, 'hex'::text) and s.expires_at > statement_timestamp()`,
    (name, hash) => [name, hash],
  )

/** Reads so many live sessions behind a hash, in the order of their hashes. */
export const scanSessions: (
  schema: string,
  name: string,
  after: string,
  limit: number,
) => Statement<{ readonly found: string; readonly now: number }> = defineStatement(
  'session.scan',
  (s) => /* sql */ `
    select ${carried('s')} as found, ${NOW} from ${s}.session s
    where s.name = $1::text and s.id_hash > decode($2::text, 'hex'::text) and s.expires_at > statement_timestamp()
    order by s.id_hash limit $3::int`,
  (name, after, limit) => [name, after, limit],
)
