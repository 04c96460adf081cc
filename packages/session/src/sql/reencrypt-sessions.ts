import { defineStatement, type Statement } from '@howdah/core'
import { few, joined, joinedNumbers, numbers, rows, texts } from './lists.js'

/** A session that another key has sealed, or none. */
export interface OutdatedRow {
  readonly hash: string
  readonly version: string
  readonly data: string
}

/** Reads so many sessions behind a hash that do not begin with the prefix of the current key. */
export const readOutdated: (
  schema: string,
  name: string,
  prefix: string,
  after: string,
  limit: number,
) => Statement<OutdatedRow> = defineStatement(
  'session.outdated',
  (s) => /* sql */ `
    select encode(s.id_hash, 'hex'::text) as hash, s.version::text as version, s.data from ${s}.session s
    where s.name = $1::text and s.id_hash > decode($3::text, 'hex'::text) and not pg_catalog.starts_with(s.data, $2::text)
    order by s.id_hash limit $4::int`,
  (name, prefix, after, limit) => [name, prefix, after, limit],
)

/** Replaces the data of sessions that nobody has saved meanwhile: who saves seals by the current key anyway. Answers how many. */
export const replaceData: (
  schema: string,
  name: string,
  of: readonly { readonly hash: string; readonly version: number; readonly data: string }[],
) => Statement<{ readonly n: number }> = defineStatement(
  'session.reencrypt',
  (s) => /* sql */ `
    with replaced as (
      update ${s}.session s set data = i.data
      from ${few(`${rows(texts('$2'), texts('$3'), numbers('$4', 'bigint'))} as l(hash, data, version)`)} i
      where s.name = i.name and s.id_hash = decode(i.hash, 'hex'::text) and s.version = i.version
      returning 1
    )
    select count(*)::int as n from replaced`,
  (name, of) => [
    name,
    joined(of.map((one) => one.hash)),
    joined(of.map((one) => one.data)),
    joinedNumbers(of.map((one) => one.version)),
  ],
)
