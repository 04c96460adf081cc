import { type Statement, statementName } from '@howdah/core'
import type { FilterEntry } from '../filter/filter-node.js'
import { filterProgram } from '../filter/filter-program.js'
import { excludedWords, nativeQuery, withoutExcludedWords } from '../native/native-query.js'
import type { LabelsOf } from '../query/plan-query.js'
import type { QueryPlan } from '../query/query-plan.js'
import type { SearchRequest } from '../search-request.js'
import type { TenantScope } from '../tenant/tenant-scope.js'
import { Parameters } from './parameters.js'
import { searchListing } from './search-listing.js'
import { searchRows } from './search-rows.js'
import { searchTop } from './search-top.js'
import type { FacetProgram, Masked, Searched, SearchRow } from './searched.js'

/** Texts that are prepared. Filters can be nested in any way, and each way that has to be looked at row by row is another text. */
const MAX_PREPARED = 64

/** The statements of an index's searches. Each finds, ranks and counts at once, so on one snapshot. */
export class SearchStatements {
  readonly #searched: Searched
  readonly #names = new Map<string, string>()
  readonly #labelsOf: LabelsOf

  constructor(searched: Searched) {
    this.#searched = searched
    const { classes } = searched.definition
    this.#labelsOf = (field) =>
      'ABCD'.charAt(classes.findIndex(({ columns }) => columns.includes(field)))
  }

  /** The way that looks at the fewest rows of those that are exact for what was asked. */
  search(plan: QueryPlan, request: SearchRequest, scope?: TenantScope): Statement<SearchRow> {
    const parameters = new Parameters()
    const text = this.#render(plan, request, parameters, scope)
    return { name: this.#nameOf(text), text, values: parameters.values }
  }

  #render(
    plan: QueryPlan,
    request: SearchRequest,
    parameters: Parameters,
    scope: TenantScope | undefined,
  ): string {
    const searched = this.#searched
    const secured = scope === undefined ? searched.secured : scope.secured || scope.few
    const { minimumMatch, sort } = request
    const curated = plan.pinned.length > 0 || plan.hidden.length > 0
    const masked = secured || curated ? undefined : this.#masks(plan, request)
    if (masked !== undefined && !plan.blank && (sort === undefined || sort.length === 0)) {
      const query = nativeQuery(withoutExcludedWords(plan), minimumMatch, this.#labelsOf)
      return searchTop(searched, query, masked, request, parameters, scope)
    }
    if (masked !== undefined && plan.blank && plan.excluded.length === 0) {
      return searchListing(searched, masked, request, parameters, scope)
    }
    return searchRows(searched, plan, this.#labelsOf, request, parameters, scope)
  }

  /** The filter and the facets as masks; undefined where these cannot say it all. */
  #masks(plan: QueryPlan, { filters, facets }: SearchRequest): Masked | undefined {
    const { attributes } = this.#searched
    const words = excludedWords(plan)
    const programOf = (entries: readonly FilterEntry[]) => {
      const programs = entries.map(({ node }) => filterProgram(node, attributes))
      const known = programs.filter((one) => one !== undefined)
      if (known.length < programs.length) return undefined
      const all = words.length === 0 ? known : [...known, { not: { words } }]
      return all.length > 1 ? { and: all } : (all[0] ?? null)
    }
    const filter = programOf(filters)
    if (filter === undefined) return undefined
    const counted: FacetProgram[] = []
    for (const { column: name, ranges } of facets) {
      const attribute = attributes.find(({ column }) => column === name)
      if (attribute === undefined) return undefined
      const nodes = ranges?.map(({ bounds }) =>
        filterProgram({ kind: 'range', column: name, bounds }, attributes),
      )
      const known = nodes?.filter((one) => one !== undefined)
      if (known?.length !== nodes?.length) return undefined
      const others = filters.filter(({ column }) => column !== name)
      const own = others.length < filters.length ? programOf(others) : undefined
      const { number: column, kind } = attribute
      counted.push({
        column,
        kind,
        ...(own === undefined ? {} : { filter: own }),
        ...(known === undefined ? {} : { ranges: known }),
      })
    }
    return { filter, facets: counted }
  }

  #nameOf(text: string): string {
    const known = this.#names.get(text)
    if (known !== undefined) return known
    if (this.#names.size >= MAX_PREPARED) return ''
    const name = statementName('search.search', text)
    this.#names.set(text, name)
    return name
  }
}
