import { createHash } from 'node:crypto'
import type { Institution } from '../domain/institutions.js'
import type { Offer } from '../domain/offers.js'
import { formatCount, formatMoney, timeFromNow } from './format.js'
import { type Html, html, type Part } from './html.js'
import type { Page } from './page.js'

/** The hidden field without which no form is accepted. */
export function csrfField(page: Page): Html {
  return html`<input type="hidden" name="csrf" value="${page.csrfToken}">`
}

const HUES = 8

/** Two letters in a colour of its own, in place of an institution's logo. */
export function monogram(name: string): Html {
  const hue = (createHash('sha256').update(name).digest()[0] ?? 0) % HUES
  const letters =
    name
      .match(/\b[A-Z]/g)
      ?.slice(0, 2)
      .join('') ?? name.slice(0, 2)
  return html`<span class="monogram hue-${hue}" aria-hidden="true">${letters}</span>`
}

/** One offer in a list. The script finds it by `data-offer`. */
export function offerCard(offer: Offer): Html {
  const over = offer.status === 'expired'
  return html`<li class="card${over && ' is-over'}" data-offer="${offer.id}">
    <div class="card-head">
      ${monogram(offer.institution)}
      <div>
        <p class="card-from">${offer.institution}</p>
        <p class="tag">${offer.category}</p>
      </div>
      <p class="bonus"><span class="visually-hidden">Bonus: </span>${formatMoney(offer.bonus)}</p>
    </div>
    <h3><a href="/offers/${offer.id}">${offer.title}</a></h3>
    <p class="card-foot">
      <span data-when>${over ? 'Ended' : 'Ends'} ${timeFromNow(offer.endsAt)}</span>
      <span>${views(offer)}</span>
    </p>
  </li>`
}

/** How often an offer was looked at; the script keeps it current. */
export function views(offer: Offer): Html {
  return html`viewed <span data-count="views:${offer.id}">${formatCount(offer.views)}</span>×`
}

/** A list of cards, or what to say when there are none. */
export function offerCards(offers: readonly Offer[], none: Part): Html {
  if (offers.length === 0) return html`<p class="empty">${none}</p>`
  return html`<ul class="cards">${offers.map(offerCard)}</ul>`
}

/** The button that follows an institution, or stops following it, with the number of its followers. */
export function followForm(page: Page, institution: Institution): Html {
  const { name, followers, followed } = institution
  const count = html`<span class="muted">followed by
    <span data-count="followers:${name}">${formatCount(followers)}</span></span>`
  if (page.member === undefined) return html`<p class="follow">${count}</p>`
  return html`<form class="follow" method="post" action="/institutions/${encodeURIComponent(name)}/follow">
    ${csrfField(page)}
    <input type="hidden" name="following" value="${followed ? 'no' : 'yes'}">
    <button${followed && html` class="quiet"`} aria-label="${followed ? 'Stop following' : 'Follow'} ${name}">
      ${followed ? 'Following ✓' : 'Follow'}
    </button>
    ${count}
  </form>`
}
