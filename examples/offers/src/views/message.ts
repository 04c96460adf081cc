import { type Html, html } from './html.js'
import { layout } from './layout.js'
import type { Page } from './page.js'

/** A page that only says something, such as what went wrong. */
export function messagePage(page: Page, title: string, message: string): Html {
  return layout(
    page,
    title,
    html`<div class="narrow panel">
      <h1>${title}</h1>
      <p>${message}</p>
      <p><a href="/">Back to the board</a></p>
    </div>`,
  )
}
