import type { DeadMail, FullMailbox } from '../domain/dead-letters.js'
import { timeFromNow } from './format.js'
import { type Html, html } from './html.js'
import { layout } from './layout.js'
import type { Page } from './page.js'
import { csrfField } from './parts.js'

export function deadLettersPage(
  page: Page,
  letters: readonly DeadMail[],
  mailboxes: readonly FullMailbox[],
): Html {
  return layout(
    page,
    'Dead letters',
    html`<h1>Dead letters</h1>
    <p class="lead">Mails the queue gave up after their last attempt. Make the mailbox take mail again, then
      put them back into the queue.</p>
    <div id="dead-letters" data-refresh-on="undelivered mailed">
      ${mailboxes.map((mailbox) => mailboxRow(page, mailbox))}
      ${letters.length === 0 ? html`<p class="empty">No dead letters.</p>` : list(page, letters)}
    </div>`,
  )
}

function mailboxRow(page: Page, { id, email }: FullMailbox): Html {
  return html`<form class="notice" method="post" action="/mailboxes/${id}/empty">
    ${csrfField(page)}
    <p><strong>${email}</strong> is full and refuses mail.</p>
    <button>Empty the mailbox</button>
  </form>`
}

function list(page: Page, letters: readonly DeadMail[]): Html {
  return html`<form class="list-actions" method="post" action="/dead-letters/redrive">
      ${csrfField(page)}
      <span>${letters.length} ${letters.length === 1 ? 'mail' : 'mails'}</span>
      <button>Redrive all</button>
    </form>
    <ul class="rows">${letters.map((letter) => row(page, letter))}</ul>`
}

function row(page: Page, letter: DeadMail): Html {
  return html`<li class="row" data-item="letter-${letter.id}">
    <div>
      <a href="/offers/${letter.offerId}">${letter.title}</a>
      <p class="muted">to ${letter.email} · ${letter.attempts} attempts, the last ${timeFromNow(letter.diedAt)}</p>
      <p><code>${letter.error}</code></p>
    </div>
    <form method="post" action="/dead-letters/redrive">
      ${csrfField(page)}
      <input type="hidden" name="id" value="${letter.id}">
      <button class="quiet" aria-label="Redrive the mail to ${letter.email}">Redrive</button>
    </form>
  </li>`
}
