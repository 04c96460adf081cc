import type { Mail } from '../domain/mail.js'
import { timeFromNow } from './format.js'
import { type Html, html } from './html.js'
import { layout } from './layout.js'
import type { Page } from './page.js'

export function mailPage(page: Page, mails: readonly Mail[]): Html {
  return layout(
    page,
    'Mail',
    html`<h1>Mail</h1>
    <p class="lead">What would have been sent to ${page.member?.email}: one mail for each new offer of an
      <a href="/institutions">institution you follow</a>.</p>
    <div id="mails" data-refresh-on="mailed">
      ${
        mails.length === 0
          ? html`<p class="empty">No mail yet. Follow an institution and wait for its next offer.</p>`
          : html`<ul class="rows">${mails.map(
              (mail) => html`<li class="row" data-item="mail-${mail.id}">
                <a href="/offers/${mail.offerId}">${mail.subject}</a>
                <span class="muted">${timeFromNow(mail.sentAt)}</span>
              </li>`,
            )}</ul>`
      }
    </div>`,
  )
}
