import { defineStatement, type Statement } from '@howdah/core'
import { ms } from './time.js'

/** Counts the live sessions of a name. */
export const countSessions: (schema: string, name: string) => Statement<{ readonly n: string }> =
  defineStatement(
    'session.count',
    (s) => /* sql */ `
    select count(*)::text as n from ${s}.session where name = $1::text and expires_at > statement_timestamp()`,
    (name) => [name],
  )

/** Figures of the sessions of a name; no row where there is none. */
export const readSessionStats: (
  schema: string,
  name: string,
) => Statement<{
  readonly live: string
  readonly users: string
  readonly expired: string
  readonly estimated: boolean
}> = defineStatement(
  'session.stats',
  (s) => /* sql */ `
    select sessions::text as live, of_users::text as users, expired::text as expired, estimated
    from ${s}.session_stats where name = $1::text`,
  (name) => [name],
)

/** The hashes of live sessions behind one of them, in their order. */
export const scanHashes: (
  schema: string,
  name: string,
  after: string,
  limit: number,
) => Statement<{ readonly hash: string }> = defineStatement(
  'session.hashes',
  (s) => /* sql */ `
    select encode(id_hash, 'hex'::text) as hash from ${s}.session
    where name = $1::text and id_hash > decode($2::text, 'hex'::text) and expires_at > statement_timestamp()
    order by id_hash limit $3::int`,
  (name, after, limit) => [name, after, limit],
)

/** A session in the list of its user. */
export interface ListedRow {
  readonly ref: string
  readonly created: number
  readonly seen: number
  readonly expires: number
  readonly address: string | null
  readonly agent: string | null
  readonly label: string | null
}

/** Lists the live sessions of a user, the newest first. */
export const listByUser: (schema: string, name: string, user: string) => Statement<ListedRow> =
  defineStatement(
    'session.list',
    (s) => /* sql */ `
    select l.ref, ${ms('l.created_at')}::float8 as created, ${ms('l.seen_at')}::float8 as seen, ${ms('l.expires_at')}::float8 as expires,
      l.address, l.user_agent as agent, l.label
    from ${s}.session_list($2::text, $1::text) l`,
    (name, user) => [name, user],
  )

/** Ends one session of a user. */
export const revoke: (
  schema: string,
  name: string,
  ref: string,
  user: string | null,
) => Statement<{ readonly revoked: boolean }> = defineStatement(
  'session.revoke',
  (s) => `select ${s}.session_revoke($2::text, $3::text, $1::text) as revoked`,
  (name, ref, user) => [name, ref, user],
)

/** Ends all sessions of a user but one. */
export const revokeAll: (
  schema: string,
  name: string,
  user: string,
  except: string | null,
) => Statement<{ readonly revoked: string }> = defineStatement(
  'session.revoke.all',
  (s) => `select ${s}.session_revoke_all($2::text, $3::text, $1::text)::text as revoked`,
  (name, user, except) => [name, user, except],
)

/** Removes expired sessions of all names. */
export const pruneSessions: (schema: string, most: number) => Statement<{ readonly n: number }> =
  defineStatement(
    'session.prune',
    (s) => `select ${s}.session_prune($1::int) as n`,
    (most) => [most],
  )
