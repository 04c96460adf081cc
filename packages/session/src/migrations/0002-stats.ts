import { describeFunctions, describeView, literal, type Migration } from '@howdah/core'

/** Blocks of the table that one look reads, at most: a table of no more is counted. */
const SAMPLE_BLOCKS = 1000
/** A name with fewer sessions in the sample is counted, up to `COUNTED` of them, for a sample says little of it. */
const FEW = 50
const COUNTED = 1000

/**
 * `session_stats` for people and dashboards, and what the functions say of themselves.
 *
 * A plain view, so that who may read it needs no right to the sessions themselves. A small table is counted; of a large one it reads the same share of
 * blocks each time, so that a figure changes only with what it stands for. Names are found one by one in their index, and so are the sessions of a rare one: by a range of one name, for
 * with equality the planner takes it for as frequent as the others, and reads the table.
 */
export const stats: Migration = {
  version: 2,
  name: 'stats',
  up: (s) => [
    sessionStats(s),
    ...describeView(
      `${s}.session_stats`,
      'How many sessions there are of each name: a row a name.',
      COLUMNS,
    ),
    ...describeFunctions(s, FUNCTIONS),
  ],
  down: (s) => [
    `drop view ${s}.session_stats`,
    ...Object.keys(FUNCTIONS).map((signature) => `comment on function ${s}.${signature} is null`),
  ],
}

function sessionStats(s: string): string {
  const columns = ['sessions', 'expired', 'of_users']
  const figure = (column: string) =>
    `case when c.looked_at < ${COUNTED} then c.${column} else coalesce(round(p.${column} / l.share), 0) end::bigint as ${column}`
  const counts = (row: string) => /* sql */ `count(*) as looked_at,
      count(*) filter (where ${row}.expires_at > statement_timestamp()) as sessions,
      count(*) filter (where ${row}.expires_at <= statement_timestamp()) as expired,
      count(*) filter (where ${row}.expires_at > statement_timestamp() and ${row}.user_id is not null) as of_users`
  return /* sql */ `create view ${s}.session_stats as
  with recursive names as (
    (select e.name || '' as name from ${s}.session e order by e.name || '' limit 1)
    union all
    select (select e.name || '' from ${s}.session e where e.name || '' > n.name order by e.name || '' limit 1) from names n where n.name is not null
  )
  select n.name, ${columns.map(figure).join(', ')},
    l.share < 1 and coalesce(c.looked_at >= ${COUNTED}, true) as estimated
  from (
    select least(1, ${SAMPLE_BLOCKS} * current_setting('block_size')::float8
      / greatest(1, pg_relation_size(${literal(`${s}.session`)}::regclass))) as share
  ) l
  cross join names n
  left join lateral (
    select e.name, ${counts('e')}
    from ${s}.session e tablesample system (l.share * 100) repeatable (1)
    group by e.name
  ) p on p.name = n.name
  left join lateral (
    select ${counts('k')}
    from (select e.expires_at, e.user_id from ${s}.session e where e.name || '' between n.name and n.name order by e.name || '' limit ${COUNTED}) k
    having l.share < 1 and coalesce(p.looked_at, 0) < ${FEW}
  ) c on true
  where n.name is not null`
}

const COLUMNS = {
  name: 'Name that the sessions were made under.',
  sessions: 'Sessions that live.',
  expired: 'Expired sessions that are not pruned yet.',
  of_users: 'Sessions that live and belong to a user.',
  estimated: 'Whether the figures were estimated from a sample rather than counted.',
}

const FUNCTIONS = {
  'session_list(text, text)':
    'Lists the live sessions of a user, the newest first, of one name or (null) of all. The ref names a session and opens none.',
  'session_revoke(text, text, text)':
    'Ends the session with this ref, of a user and a name where they are given, and answers whether it was live.',
  'session_revoke_all(text, text, text)':
    'Ends all sessions of a user but the one with this ref, if one is given, and answers how many they were.',
  'session_trim(text, integer, text)':
    'Ends the oldest live sessions of a user beyond so many, of a name, and answers their refs. A login calls it where users may have so many only.',
  'session_prune(integer)':
    'Deletes so many expired sessions at most and answers how many it deleted. The library does it in the background.',
}
