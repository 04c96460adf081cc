import { defineStatement, type Statement } from '@howdah/core'
import { few, joined, texts } from './lists.js'

/** Ends sessions. Answers the hashes of those that were live. */
export const endSessions: (
  schema: string,
  name: string,
  hashes: readonly string[],
) => Statement<{ readonly ended: string | null }> = defineStatement(
  'session.end',
  (s) => /* sql */ `
    with ended as (
      delete from ${s}.session s using ${few(`pg_catalog.unnest(${texts('$2')}) as l(hash)`)} i
      where s.name = i.name and s.id_hash = decode(i.hash, 'hex'::text)
      returning i.hash, s.expires_at
    )
    select pg_catalog.string_agg(e.hash, ','::text) as ended from ended e where e.expires_at > statement_timestamp()`,
  (name, hashes) => [name, joined(hashes)],
)

/** Ends every session of a name. */
export const endAllSessions: (schema: string, name: string) => Statement = defineStatement(
  'session.clear',
  (s) => `delete from ${s}.session where name = $1::text`,
  (name) => [name],
)

/** Ends the oldest live sessions of a user beyond so many. Answers the hashes. */
export const endOldestSessions: (
  schema: string,
  name: string,
  user: string,
  most: number,
) => Statement<{ readonly hash: string }> = defineStatement(
  'session.trim',
  (s) => `select hash from ${s}.session_trim($2::text, $3::int, $1::text) as t(hash)`,
  (name, user, most) => [name, user, most],
)
