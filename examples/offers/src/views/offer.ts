import type { Institution } from '../domain/institutions.js'
import type { Offer } from '../domain/offers.js'
import { formatMoney, timeFromNow } from './format.js'
import { type Html, html } from './html.js'
import { layout } from './layout.js'
import type { Page } from './page.js'
import { followForm, monogram, views } from './parts.js'

export function offerPage(page: Page, offer: Offer, institution: Institution): Html {
  const over = offer.status === 'expired'
  return layout(
    page,
    offer.title,
    html`<p class="crumbs"><a href="/offers">Offers</a> / <a href="${categoryUrl(offer)}">${offer.category}</a></p>
    <div class="with-side is-right" id="offer" data-refresh-on="expired">
      <article class="panel offer${over && ' is-over'}" data-offer="${offer.id}">
        <p class="tag">${offer.category}</p>
        <h1>${offer.title}</h1>
        <p class="muted">Published ${timeFromNow(offer.publishedAt)} · ${views(offer)}</p>
        <p class="prose">${offer.body}</p>
      </article>
      <aside aria-label="About the offer">
        <div class="panel figures">
          <p class="bonus">${formatMoney(offer.bonus)}</p>
          <p class="status" data-status>${over ? 'Expired' : 'Active'}</p>
          <p>${over ? 'Ended' : 'Ends'} ${timeFromNow(offer.endsAt)}</p>
        </div>
        <div class="panel">
          <h2 class="with-monogram">${monogram(institution.name)} ${institution.name}</h2>
          <p>${institution.about}</p>
          ${followForm(page, institution)}
        </div>
      </aside>
    </div>`,
  )
}

function categoryUrl({ category }: Offer): string {
  return `/offers?${new URLSearchParams({ category })}`
}
