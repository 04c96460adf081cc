import { literal } from '@howdah/core'
import type { Generation } from './generation.js'
import { fits, QUERY } from './match.js'
import {
  LIVING_VARIABLES,
  living,
  PLANS,
  SCORE_VARIABLES,
  score,
  scored,
  weighed,
} from './score.js'

/**
 * Whether the documents of some keys match a query, and their scores, for the rows that a search knows by name. Beginnings of words do not count, for their
 * weight is known only once every match has been seen.
 */
export function judgeFunction(generation: Generation): string {
  const { names } = generation
  const documentsOf = (table: string) =>
    `select o.number, o.key, o.document, o.length from ${table} o where o.key = one.key`
  const body = `
declare
  ${LIVING_VARIABLES}
  ${SCORE_VARIABLES}
begin
  ${weighed(generation)}
  return query
  with candidate as materialized (
    select ${scored('d')} from (select distinct k as key from unnest(known) k) one
    cross join lateral (${documentsOf(names.hot)} union all ${documentsOf(names.document)}) d
    where ${living(generation, 'd')}
  )
  select c.key, ${score(generation, 'c')}, coalesce(${fits('c')}, false)
  from candidate c;
end`
  return `create function ${names.functions.judge}(${QUERY}, known text[])
    returns table (key text, score double precision, matches boolean)
    language plpgsql stable ${PLANS} as ${literal(body)}`
}
