import { type Statement, statementName } from '@howdah/core'
import type { FilterEntry } from '../filter/filter-node.js'
import { filterProgram } from '../filter/filter-program.js'
import type { VectorColumn } from '../hybrid/vector-column.js'
import {
  excludedWords,
  type NativeQuery,
  nativeQuery,
  withoutExcludedWords,
} from '../native/native-query.js'
import type { LabelsOf } from '../query/plan-query.js'
import type { QueryPlan } from '../query/query-plan.js'
import type { SearchRequest } from '../search-request.js'
import type { TenantScope } from '../tenant/tenant-scope.js'
import { Parameters } from './parameters.js'
import { searchListing } from './search-listing.js'
import { searchRows } from './search-rows.js'
import { searchTop } from './search-top.js'
import {
  type FacetProgram,
  labelsIn,
  type Masked,
  type PageStart,
  type Searched,
  type SearchRow,
} from './searched.js'

/** Texts that are prepared. Filters can be nested in any way, and each way that has to be looked at row by row is another text. */
const MAX_PREPARED = 64

/** Rows that may be pinned or hidden without that every match has to be looked at. */
const MAX_CURATED = 100

/** Whether the best of all rows, and as many more as are pinned or hidden, can be asked for in place of everything that matches. */
function isShort(
  { pinned, hidden }: QueryPlan,
  { simple }: NativeQuery,
  { filter, facets }: Masked,
): boolean {
  const few = pinned.length + hidden.length <= MAX_CURATED
  return few && simple && filter === null && facets.length === 0
}

/** The statements of an index's searches. Each finds, ranks and counts at once, so on one snapshot. */
export class SearchStatements {
  readonly #searched: Searched
  readonly #names = new Map<string, string>()
  readonly #labelsOf: LabelsOf

  constructor(searched: Searched) {
    this.#searched = searched
    this.#labelsOf = labelsIn(searched.definition)
  }

  /** The way that looks at the fewest rows of those that are exact for what was asked. */
  search(
    plan: QueryPlan,
    request: SearchRequest,
    start: PageStart,
    vector?: VectorColumn,
    scope?: TenantScope,
  ): Statement<SearchRow> {
    const parameters = new Parameters()
    const text = this.#render(plan, request, start, vector, parameters, scope)
    return { name: this.#nameOf(text), text, values: parameters.values }
  }

  #render(
    plan: QueryPlan,
    request: SearchRequest,
    start: PageStart,
    vector: VectorColumn | undefined,
    parameters: Parameters,
    scope: TenantScope | undefined,
  ): string {
    const searched = this.#searched
    const { minimumMatch, sort = plan.blank ? searched.definition.sort : [] } = request
    const curated = plan.pinned.length > 0 || plan.hidden.length > 0
    const secured = scope === undefined ? searched.secured : scope.secured || scope.few
    const masked = secured ? undefined : this.#masks(plan, request)
    const rows = () => searchRows(searched, plan, request, start, vector, masked, parameters, scope)
    if (masked === undefined || vector !== undefined) return rows()
    if (!plan.blank && sort.length === 0) {
      const { attributes } = searched
      const asked = attributes === undefined ? plan : withoutExcludedWords(plan)
      const query = nativeQuery(asked, minimumMatch, this.#labelsOf)
      // Rules may name rows of every tenant, so those of one are looked at.
      const whole = attributes !== undefined && scope === undefined
      if (curated && !(whole && isShort(plan, query, masked) && start.position === undefined))
        return rows()
      return searchTop(searched, plan, query, masked, request.limit, start, parameters, scope)
    }
    if (plan.blank && plan.excluded.length === 0 && !curated && !sort.some((by) => 'near' in by)) {
      return searchListing(searched, masked, request, start, parameters, scope)
    }
    return rows()
  }

  /** The filter and the facets as masks; undefined where these cannot say it all. */
  #masks(plan: QueryPlan, { filters, facets }: SearchRequest): Masked | undefined {
    const { attributes } = this.#searched
    if (attributes === undefined) {
      const plain = !plan.blank && filters.length === 0 && facets.length === 0
      return plain ? { filter: null, facets: [] } : undefined
    }
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
