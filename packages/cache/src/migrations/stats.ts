import { describeFunctions, describeView, literal, type Migration } from '@howdah/core'
import { entryTable, FAMILIES, type Family } from './family.js'

/** Blocks of a table that one look reads, at most: a table of no more is counted. */
const SAMPLE_BLOCKS = 1000
/** A namespace with fewer entries in the sample is counted, up to `COUNTED` of them: the rows of a small one lie together, and are hit or missed together. */
const FEW = 50
const COUNTED = 1000

/**
 * `cache_stats` for people and dashboards, and what the functions say of themselves.
 *
 * A plain view, so that who may read it needs no right to the tables, whose values are the application's. Small tables are counted; of large ones it
 * reads the same share of blocks each time, so that a figure changes only with what it stands for.
 */
export const stats: Migration = {
  version: 3,
  name: 'stats',
  up: (s) => [
    /* sql */ `create view ${s}.cache_stats as
  ${FAMILIES.map((family) => namespaces(s, family)).join('\n  union all\n  ')}`,
    ...describeView(
      `${s}.cache_stats`,
      'What each namespace of the cache holds: a row a namespace.',
      COLUMNS,
    ),
    ...describeFunctions(s, FUNCTIONS),
  ],
  down: (s) => [
    `drop view ${s}.cache_stats`,
    ...Object.keys(FUNCTIONS).map((signature) => `comment on function ${s}.${signature} is null`),
  ],
}

function namespaces(s: string, family: Family): string {
  const table = entryTable(s, family)
  const figure = (column: string) =>
    `case when c.entries < ${COUNTED} then c.${column} else coalesce(round(p.${column} / l.share), 0) end::bigint as ${column}`
  return /* sql */ `select n.name as namespace, n.logged, ${figure('entries')}, ${figure('bytes')},
    l.share < 1 and coalesce(c.entries >= ${COUNTED}, true) as estimated,
    coalesce(n.near_until > statement_timestamp(), false) as near
  from (
    select least(1, ${SAMPLE_BLOCKS} * current_setting('block_size')::float8
      / greatest(1, pg_relation_size(${literal(table)}::regclass))) as share
  ) l
  cross join ${s}.cache_namespace n
  left join lateral (
    select e.namespace, count(*) as entries, sum(e.bytes) as bytes
    from ${table} e tablesample system (l.share * 100) repeatable (1)
    group by e.namespace
  ) p on p.namespace = n.id
  left join lateral (
    select count(*) as entries, coalesce(sum(k.bytes), 0) as bytes
    from (select e.bytes from ${table} e where e.namespace = n.id order by e.key limit ${COUNTED}) k
    having l.share < 1 and coalesce(p.entries, 0) < ${FEW}
  ) c on true
  where n.logged = ${family.logged}`
}

const COLUMNS = {
  namespace: 'Name of the namespace, with those it lies in.',
  logged: 'Whether its entries survive a crash of the server.',
  entries: 'Entries, expired ones that are not swept yet included.',
  bytes: 'What they take in the table, by estimate of their rows.',
  estimated: 'Whether entries and bytes were estimated from a sample rather than counted.',
  near: 'Whether some process keeps entries in its memory.',
}

const FUNCTIONS = {
  'cache_set(text, text, jsonb, interval, text[])':
    'Stores a value under a key of a namespace, for a time to live and with tags where they are given.',
  'cache_get(text, text)':
    'Answers the live value of a key as JSON, or null. Binary values come in base64; bigints and dates as a number and a time.',
  'cache_delete(text, text)': 'Removes a key and answers whether it had a live value.',
  'cache_invalidate_tags(text, text[])':
    'Makes all entries of a namespace that carry any of these tags invalid, however many they are.',
  'cache_clear(text)': 'Empties a namespace, in the same time whatever it holds.',
  'cache_sweep(integer)':
    'Removes so many expired entries at most, of all namespaces, and answers how many it removed. The library does it in the background.',
}
