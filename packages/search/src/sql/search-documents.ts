import { ident, literal, type Statement, statementName } from '@howdah/core'
import { type IndexNames, tableOf } from '../names.js'
import type { Definition, Sorting } from '../options.js'
import { unwantedQuery, wantedQuery } from '../query/plan-query.js'
import { type QueryPlan, type Term, termQuery } from '../query/query-plan.js'
import type { ColumnType } from './describe-table.js'

/** BM25's constants, as Lucene has them. */
const K1 = 1.2
const B = 0.75
/** Different words of a query that are ranked by; further ones still match. */
const MAX_TERMS = 400
const MAX_FACET_VALUES = 100
/** Parameters before those of the filters. */
const FIXED = 9

/** What a search statement is made for: one text for each, whatever the values are. */
export interface SearchShape {
  readonly schema: string
  readonly definition: Definition
  readonly names: IndexNames
  readonly types: Readonly<Record<string, ColumnType>>
  /** Whether the query has words to rank by; without any, everything is listed. */
  readonly ranked: boolean
  /** Empty for the order by score. */
  readonly sort: readonly Sorting[]
}

/** Values of one search. */
export interface SearchValues {
  readonly plan: QueryPlan
  readonly limit: number
  readonly offset: number
  readonly facets: readonly string[]
  /** For each of the definition's filters the values it allows, as text, or null where it allows all. */
  readonly filters: readonly (readonly (string | null)[] | null)[]
}

/** The page that was asked for; counted over all that matches. */
export interface SearchRow {
  readonly total: string
  readonly hits: { key: string; score: number; row: Record<string, unknown> }[]
  /** In the order of the definition's facets. */
  readonly facets: { value: unknown; count: number }[][]
}

/**
 * Finds, ranks and counts in one statement, so on one snapshot. The score is BM25 as in Lucene, computed for every row that
 * matches, with a word's count in a document being the sum over its fields of count times weight, and a document's
 * length likewise.
 *
 * @see Robertson, Zaragoza, Taylor: "Simple BM25 extension to multiple weighted fields", CIKM 2004
 */
export function searchDocuments(
  shape: SearchShape,
): (values: SearchValues) => Statement<SearchRow> {
  const text = render(shape)
  const name = statementName('search.search', text)
  const labelsOf = (field: string) => {
    const at = shape.definition.classes.findIndex(({ columns }) => columns.includes(field))
    return 'ABCD'.charAt(at)
  }
  return ({ plan, limit, offset, facets, filters }) => {
    const terms = rankedTerms(plan)
    return {
      name,
      text,
      values: [
        wantedQuery(plan, labelsOf) ?? null,
        unwantedQuery(plan, labelsOf) ?? null,
        terms.map(({ query }) => query),
        terms.map(({ kind }) => kind),
        terms.map(({ weight }) => weight),
        limit,
        offset,
        plan.pinned,
        plan.hidden,
        ...filters,
        // A parameter that the text does not use would be an error.
        ...(shape.definition.facets.length > 0 ? [facets] : []),
      ],
    }
  }
}

/** A word (kind 1) or a beginning (kind 2) with the sum of what it counts. */
interface RankedTerm {
  readonly query: string
  readonly kind: 1 | 2
  readonly weight: number
}

function rankedTerms({ branches }: QueryPlan): RankedTerm[] {
  const terms = new Map<string, RankedTerm>()
  const add = (term: Term, kind: 1 | 2, weight: number) => {
    const query = termQuery(term)
    terms.set(query, { query, kind, weight: weight + (terms.get(query)?.weight ?? 0) })
  }
  for (const { alternatives } of branches.flat()) {
    const beginning = alternatives.find(({ term }) => term.kind === 'prefix')
    if (beginning !== undefined) add(beginning.term, 2, 1)
    else {
      for (const { term, weight } of alternatives) {
        const lexemes = term.kind === 'phrase' ? term.steps.flatMap((step) => step.lexemes) : []
        if (term.kind === 'word') add(term, 1, weight)
        for (const lexeme of lexemes) add({ kind: 'word', lexeme }, 1, weight)
      }
    }
  }
  return [...terms.values()].slice(0, MAX_TERMS)
}

function render(shape: SearchShape): string {
  const { definition, names, types, ranked, sort } = shape
  const table = tableOf(definition)
  const key = `t.${ident(definition.key)}`
  const keyType = (types[definition.key] as ColumnType).type
  const columns = [
    ...definition.facets.map((column, at) => `t.${ident(column)} as facet_${at}`),
    ...sort.map(({ column }, at) => `t.${ident(column)} as sort_${at}`),
  ]
  const order = [
    `array_position($8::text[], key collate "default")`,
    ...sort.map(({ order }, at) => `sort_${at} ${order} nulls last`),
    ...(sort.length === 0 ? ['score desc'] : []),
    'key',
  ].join(', ')
  const matches = ranked
    ? 'd.document @@ (select wanted from goal)'
    : 'coalesce(not d.document @@ (select unwanted from goal), true)'
  return /* sql */ `
    with typed as materialized (
      select u.q::tsquery as q, u.kind, u.weight
      from unnest($3::text[], $4::int[], $5::double precision[]) u(q, kind, weight)
    ), goal as materialized (
      select $1::text::tsquery && coalesce(!!$2::text::tsquery, '') as wanted, $2::text::tsquery as unwanted
    )${ranked ? termTables(shape) : ''},
    matched as materialized (
      select d.key, ${ranked ? score(definition) : '0::double precision'} as score
        ${columns.map((column) => `, ${column}`).join('')}
      from ${names.documents} d
      join ${table} t on ${key} = d.key::${keyType}
      where ${[
        `(${matches} or d.key = any ($8::text[])) and d.key <> all ($9::text[])`,
        ...definition.filters.map((column, at) => filter(column, at, types)),
      ].join('\n        and ')}
    ), page as materialized (
      select key, score, row_number() over (order by ${order}) as place
      from matched order by ${order} limit $6::int offset $7::int
    )
    select (select count(*)::text from matched) as total,
      (select coalesce(json_agg(json_build_object(
          'key', p.key, 'score', p.score, 'row', to_jsonb(t)) order by p.place), '[]')
       from page p join ${table} t on ${key} = p.key::${keyType}) as hits,
      json_build_array(${definition.facets.map((column, at) => facet(shape, column, at)).join(', ')}) as facets`
}

/** The words to rank by, with how rare each is, over the whole index. */
function termTables({ definition, names }: SearchShape): string {
  const lengths = definition.classes
    .map(({ weight }, at) => `${weight} * sum(length_${'abcd'[at]})`)
    .join(' + ')
  return `, term as materialized (
      select q, kind, weight as times from typed
    ), statistic as materialized (
      select sum(documents)::double precision as documents,
        (${lengths})::double precision / nullif(sum(documents), 0)::double precision as length
      from ${names.statistics}
    ), weighed as materialized (
      select term.kind, term.q, statistic.length,
        term.times * ln(1 + (statistic.documents - f.found + 0.5) / (f.found + 0.5)) as idf
      from term cross join statistic cross join lateral (
        select count(*)::double precision as found from ${names.documents} d where d.document @@ term.q
      ) f
    )`
}

/** A prefix counts like a word that stands once in a document of average length, as it may stand for many words. */
function score({ classes }: Definition): string {
  const length = classes.map(({ weight }, at) => `${weight} * d.length_${'abcd'[at]}`).join(' + ')
  const count = classes.map(({ weight }, at) => {
    const next = classes[at + 1]?.weight ?? 0
    return `(${weight} - ${next}) * ${countOf(at, classes.length)}`
  })
  const norm = `${K1} * (${1 - B} + ${B} * (${length}) / nullif(w.length, 0))`
  return `(
        select coalesce(sum(case when w.kind = 1
          then w.idf * ${K1 + 1} * (1 - (${norm}) / (${count.join(' + ')} + ${norm}))
          else case when d.document @@ w.q then w.idf else 0 end
        end), 0)
        from weighed w
      )`
}

/**
 * How often a word stands in the first classes up to this one. `ts_rank` of one word with weights of 0 and 1 is the sum of
 * 1/j² over those occurrences, which come first in the document, so its distance from the sum to infinity, about
 * 1/(count + 1/2), gives the count; exact up to the 255 occurrences that a document keeps of a word.
 */
function countOf(at: number, classes: number): string {
  // The weights stand in the order D, C, B, A.
  const weights = [3, 2, 1, 0].map((which) => (which <= at || at === classes - 1 ? 1 : 0)).join(',')
  return `round(1 / (1.6449340668482 * (1.0000001 - ts_rank('{${weights}}', d.document, w.q))) - 0.5)`
}

function filter(column: string, at: number, types: SearchShape['types']): string {
  const parameter = `$${at + FIXED + 1}::text[]`
  const { type, element } = types[column] as ColumnType
  const name = `t.${ident(column)}`
  const equal =
    element === null
      ? `${name} = any (${parameter}::${type}[])`
      : `${name} && ${parameter}::${element}[]`
  return `(${parameter} is null or ${equal}
          or (${name} is null and array_position(${parameter}, null) is not null))`
}

function facet({ definition, types }: SearchShape, column: string, at: number): string {
  const asked = `$${definition.filters.length + FIXED + 1}::text[]`
  const isArray = (types[column] as ColumnType).element !== null
  const from = isArray
    ? `matched cross join lateral unnest(facet_${at}) as one(value)`
    : `(select facet_${at} as value from matched) one`
  return `(
        select coalesce(json_agg(json_build_object('value', value, 'count', n)
          order by n desc, value::text collate "C"), '[]')
        from (
          select to_jsonb(one.value) as value, count(*)::int as n from ${from}
          where ${literal(column)} = any (${asked}) and one.value is not null
          group by 1 order by 2 desc, (to_jsonb(one.value))::text collate "C" limit ${MAX_FACET_VALUES}
        ) counted
      )`
}
