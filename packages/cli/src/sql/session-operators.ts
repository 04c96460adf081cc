import { defineStatement, type Statement } from '@howdah/core'

/** The sessions of one name. */
export interface SessionsRow {
  readonly name: string
  readonly live: number
  readonly expired: number
  readonly users: boolean
  readonly estimated: boolean
}

/** Blocks that are read; some 8,000 sessions. */
const SAMPLE_BLOCKS = 500
const ms = (time: string) => `(extract(epoch from ${time}) * 1000)::float8`

/** Counts sessions by name while they are few, else estimates from a sample. */
export const countSessions: (schema: string) => Statement<SessionsRow> = defineStatement(
  'cli.sessions',
  (s) => /* sql */ `
    select e.name, round(count(*) filter (where e.expires_at > statement_timestamp()) / k.share)::float8 as live,
      round(count(*) filter (where e.expires_at <= statement_timestamp()) / k.share)::float8 as expired,
      bool_or(e.user_id is not null) as users, k.share < 1 as estimated
    from (select least(1, ${SAMPLE_BLOCKS} / greatest(1, pg_relation_size(c.oid) / current_setting('block_size')::float8)) as share
      from pg_class c where c.oid = '${s.replaceAll("'", "''")}.session'::regclass) k
    cross join lateral (select e.name, e.expires_at, e.user_id from ${s}.session e tablesample system (k.share * 100)) e
    group by e.name, k.share order by e.name`,
  () => [],
)

/** A session without what it holds. */
export interface SessionRow {
  readonly name: string
  readonly ref: string
  readonly user: string | null
  readonly createdAt: number
  readonly seenAt: number
  readonly expiresAt: number
  readonly address: string | null
  readonly userAgent: string | null
  readonly label: string | null
}

/** Lists the live sessions of a user, of one name or all. */
export const listOfUser: (
  schema: string,
  user: string,
  name: string | null,
) => Statement<SessionRow> = defineStatement(
  'cli.sessions-of-user',
  (s) => /* sql */ `
    select l.name, l.ref, $1::text as user, ${ms('l.created_at')} as "createdAt", ${ms('l.seen_at')} as "seenAt", ${ms('l.expires_at')} as "expiresAt",
      l.address, l.user_agent as "userAgent", l.label
    from ${s}.session_list($1::text, $2::text) l`,
  (user, name) => [user, name],
)

/** The newest sessions cannot be had without an index for them; these are some, in the order of their hashes. */
export const someSessions: (
  schema: string,
  name: string,
  after: string,
  limit: number,
) => Statement<SessionRow> = defineStatement(
  'cli.some-sessions',
  (s) => /* sql */ `
    select e.name, encode(e.id_hash, 'hex') as ref, e.user_id as user, ${ms('e.created_at')} as "createdAt", ${ms('e.seen_at')} as "seenAt",
      ${ms('e.expires_at')} as "expiresAt", e.address, e.user_agent as "userAgent", e.label
    from ${s}.session e
    where e.name = $1::text and e.id_hash > decode($2::text, 'hex') and e.expires_at > statement_timestamp()
    order by e.id_hash limit $3::int`,
  (name, after, limit) => [name, after, limit],
)

/** One session, with how much it holds. The key begins with the hash, so its name need not be known. */
export const findSession: (
  schema: string,
  ref: string,
) => Statement<SessionRow & { readonly bytes: number; readonly encrypted: boolean }> =
  defineStatement(
    'cli.session',
    (s) => /* sql */ `
    select e.name, encode(e.id_hash, 'hex') as ref, e.user_id as user, ${ms('e.created_at')} as "createdAt", ${ms('e.seen_at')} as "seenAt",
      ${ms('e.expires_at')} as "expiresAt", e.address, e.user_agent as "userAgent", e.label,
      octet_length(e.data) as bytes, left(e.data, 1) = '~' as encrypted
    from ${s}.session e
    where e.id_hash = decode($1::text, 'hex') and e.expires_at > statement_timestamp()`,
    (ref) => [ref],
  )

/** Ends one session, of whatever name. */
export const revokeSession: (
  schema: string,
  name: string,
  ref: string,
) => Statement<{ readonly revoked: boolean }> = defineStatement(
  'cli.session-revoke',
  (s) => `select ${s}.session_revoke($2::text, null, $1::text) as revoked`,
  (name, ref) => [name, ref],
)

/** Ends the sessions of a user, of one name or all. */
export const revokeOfUser: (
  schema: string,
  user: string,
  name: string | null,
) => Statement<{ readonly revoked: number }> = defineStatement(
  'cli.session-revoke-all',
  (s) => `select ${s}.session_revoke_all($1::text, null, $2::text)::float8 as revoked`,
  (user, name) => [user, name],
)
