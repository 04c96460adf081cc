import { literal } from '@howdah/core'
import type { Generation } from '../native/generation.js'
import { NAMES, SEARCH } from '../native/match.js'
import { PLANS } from '../native/score.js'

/** The function `search` of an engine that looks at everything that matches: the best k, and how many there are. */
export function exhaustiveSearchFunction({ names }: Generation): string {
  const body = `
begin
  with found as materialized (
    select m.key, m.score from ${names.functions.match}(${NAMES}, null, null) m
  ), best as (
    select f.key, f.score from found f order by f.score desc, f.key limit k
  )
  select (select array_agg(b.key order by b.score desc, b.key) from best b),
    (select array_agg(b.score order by b.score desc, b.key) from best b),
    (select count(*) from found)
  into keys, scores, total;
end`
  return `create function ${names.functions.search}(${SEARCH},
      out keys text[], out scores double precision[], out total bigint
    ) language plpgsql stable ${PLANS} as ${literal(body)}`
}
