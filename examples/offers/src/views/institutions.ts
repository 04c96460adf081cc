import type { Institution } from '../domain/institutions.js'
import { type Html, html } from './html.js'
import { layout } from './layout.js'
import type { Page } from './page.js'
import { followForm, monogram } from './parts.js'

export function institutionsPage(page: Page, institutions: readonly Institution[]): Html {
  return layout(
    page,
    'Institutions',
    html`<h1>Institutions</h1>
    <p class="lead">${
      page.member === undefined
        ? html`<a href="/login">Log in</a> to follow one and get a mail about each of its new offers.`
        : 'Follow one to get a mail about each of its new offers.'
    }</p>
    <ul class="cards">${institutions.map(
      (institution) => html`<li class="card">
        <div class="card-head">
          ${monogram(institution.name)}
          <h2><a href="/offers?${new URLSearchParams({ institution: institution.name }).toString()}">${institution.name}</a></h2>
        </div>
        <p>${institution.about}</p>
        ${followForm(page, institution)}
      </li>`,
    )}</ul>`,
  )
}
