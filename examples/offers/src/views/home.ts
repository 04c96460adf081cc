import type { HotLists } from '../domain/hot-lists.js'
import { timeFromNow } from './format.js'
import { type Html, html } from './html.js'
import { layout } from './layout.js'
import type { Page } from './page.js'
import { offerCards } from './parts.js'

export function homePage(page: Page, lists: HotLists & { cached: boolean }): Html {
  return layout(
    page,
    'Home',
    html`<section class="hero">
      <h1>Bring a friend, share the bonus</h1>
      <p>Referral offers of institutions that do not exist, on the one PostgreSQL that does.</p>
      ${searchBox('', true)}
    </section>
    <div id="hot-lists" data-refresh-on="published expired">
      <p class="hint">${freshness(lists)}</p>
      <section aria-labelledby="newest">
        <h2 id="newest">Newest</h2>
        ${offerCards(lists.newest, 'Nothing has been published yet.')}
      </section>
      <section aria-labelledby="most-viewed">
        <h2 id="most-viewed">Most viewed</h2>
        ${offerCards(lists.mostViewed, 'Nobody has looked at an offer yet.')}
      </section>
      <section aria-labelledby="ending">
        <h2 id="ending">Ending soon</h2>
        ${offerCards(lists.ending, 'Nothing ends soon.')}
      </section>
    </div>`,
  )
}

/** The form that leads to the search page. */
export function searchBox(text: string, activeOnly = false): Html {
  return html`<form class="search" role="search" action="/offers">
    <label class="visually-hidden" for="q">Search offers</label>
    <input id="q" type="search" name="q" value="${text}" maxlength="200"
      placeholder="cashback for students, “no contract”, -travel …">
    ${activeOnly && html`<input type="hidden" name="status" value="active">`}
    <button>Search</button>
  </form>`
}

function freshness({ cached, computedAt }: HotLists & { cached: boolean }): Html {
  return cached
    ? html`<span class="tag is-cached">from the cache</span> computed ${timeFromNow(computedAt)}`
    : html`<span class="tag is-fresh">just computed</span> and cached until something is published or ends`
}
