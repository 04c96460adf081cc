import { FACETS, type Facet, type OfferQuery, type OfferResults } from '../domain/search.js'
import { formatCount } from './format.js'
import { type Html, html } from './html.js'

const LABELS: Readonly<Record<Facet, string>> = {
  category: 'Category',
  institution: 'Institution',
  status: 'Status',
}

/** Writes a search as the address of its page. */
export function offersUrl({ text, filters, sort, page }: OfferQuery): string {
  const params = new URLSearchParams()
  if (text !== '') params.set('q', text)
  for (const facet of FACETS) for (const value of filters[facet]) params.append(facet, value)
  if (sort !== 'best') params.set('sort', sort)
  if (page > 1) params.set('page', String(page))
  return params.size === 0 ? '/offers' : `/offers?${params}`
}

/** Carries the filters along when the search form is sent. */
export function hiddenFilters({ filters }: OfferQuery): Html[] {
  return FACETS.flatMap((facet) =>
    filters[facet].map((value) => html`<input type="hidden" name="${facet}" value="${value}">`),
  )
}

/** The links that narrow a search, each with what it would find. */
export function facetPanel(query: OfferQuery, { facets }: OfferResults): Html {
  const cleared = { ...query, filters: { category: [], institution: [], status: [] }, page: 1 }
  const narrowed = FACETS.some((facet) => query.filters[facet].length > 0)
  return html`<aside class="facets" aria-label="Filters">
    ${narrowed && html`<a class="clear" href="${offersUrl(cleared)}">Clear all filters</a>`}
    ${FACETS.map(
      (facet) => html`<details id="facet-${facet}" open>
        <summary>${LABELS[facet]}</summary>
        <ul>${facets[facet].map(({ value, count }) => choice(query, facet, String(value), count))}</ul>
      </details>`,
    )}
  </aside>`
}

function choice(query: OfferQuery, facet: Facet, value: string, count: number): Html {
  const chosen = query.filters[facet]
  const on = chosen.includes(value)
  const values = on ? chosen.filter((one) => one !== value) : [...chosen, value]
  const href = offersUrl({ ...query, filters: { ...query.filters, [facet]: values }, page: 1 })
  return html`<li><a href="${href}"${on && html` aria-current="true"`}>
    <span class="check" aria-hidden="true"></span>
    <span>${value}</span>
    <span class="muted">${formatCount(count)}</span>
  </a></li>`
}
