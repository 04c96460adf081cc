import type { OfferQuery, OfferResults } from '../domain/search.js'
import { PAGE_SIZE, SORTS } from '../domain/search.js'
import { facetPanel, hiddenFilters, offersUrl } from './facets.js'
import { formatCount } from './format.js'
import { type Html, html } from './html.js'
import { layout } from './layout.js'
import type { Page } from './page.js'
import { offerCards } from './parts.js'

export function offersPage(page: Page, query: OfferQuery, results: OfferResults): Html {
  return layout(
    page,
    query.text === '' ? 'Offers' : `${query.text} – Offers`,
    html`<h1>Offers</h1>
    ${searchForm(query)}
    <div class="with-side" id="results" data-refresh-on="published expired">
      ${facetPanel(query, results)}
      <section aria-labelledby="found">
        <h2 id="found" class="found">${summary(query, results.total)}</h2>
        ${offerCards(results.offers, 'Try fewer words or filters.')}
        ${pager(query, results.total)}
      </section>
    </div>`,
  )
}

function searchForm(query: OfferQuery): Html {
  const sorts = Object.entries(SORTS).map(
    ([value, { label }]) =>
      html`<option value="${value}"${value === query.sort && html` selected`}>${label}</option>`,
  )
  return html`<form class="search" role="search" action="/offers">
    <label class="visually-hidden" for="q">Search offers</label>
    <input id="q" type="search" name="q" value="${query.text}" maxlength="200"
      placeholder="cashback for students, “no contract”, -travel …">
    <label class="visually-hidden" for="sort">Sort by</label>
    <select id="sort" name="sort">${sorts}</select>
    ${hiddenFilters(query)}
    <button>Search</button>
  </form>`
}

function summary(query: OfferQuery, total: number): Html {
  const words = query.text !== '' && html` for “${query.text}”`
  if (total === 0) return html`No offers${words}`
  return html`${formatCount(total)} ${total === 1 ? 'offer' : 'offers'}${words}`
}

function pager(query: OfferQuery, total: number): Html | false {
  const last = Math.ceil(total / PAGE_SIZE)
  if (last <= 1) return false
  const { page } = query
  const to = (target: number, label: string) =>
    html`<a class="button quiet" href="${offersUrl({ ...query, page: target })}">${label}</a>`
  return html`<nav class="pager" aria-label="Pages">
    ${page > 1 && to(page - 1, '← Previous')}
    <span>Page ${formatCount(page)} of ${formatCount(last)}</span>
    ${page < last && to(page + 1, 'Next →')}
  </nav>`
}
