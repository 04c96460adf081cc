import { type Html, html } from './html.js'
import type { Page } from './page.js'
import { csrfField } from './parts.js'

/** Puts a page's content into the frame that all pages share. */
export function layout(page: Page, title: string, content: Html): Html {
  return html`<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <meta name="color-scheme" content="light dark">
  <title>${title} · Referral Board</title>
  <link rel="icon" href="/static/icon.svg" type="image/svg+xml">
  <link rel="stylesheet" href="/static/base.css">
  <link rel="stylesheet" href="/static/parts.css">
  <link rel="stylesheet" href="/static/pages.css">
  <script type="module" src="/static/live.js"></script>
</head>
<body>
  <a class="skip" href="#content">Skip to content</a>
  <header class="top">
    <div class="top-row">
      <a class="brand" href="/"><img src="/static/icon.svg" alt="" width="28" height="28">Referral Board</a>
      <nav aria-label="Main">${navigation(page)}</nav>
      ${account(page)}
    </div>
  </header>
  <main id="content" tabindex="-1">${content}</main>
  <footer class="bottom">
    <p>An example application of Howdah. Every institution and offer here is invented.</p>
    <p class="live" data-live-state role="status">Connecting…</p>
  </footer>
  <div class="toasts" data-toasts role="status"></div>
</body>
</html>`
}

function navigation(page: Page): Html {
  const { member } = page
  const mails = html`Mail <span class="badge" data-count="mails">${page.mails}</span>`
  return html`
    ${link(page, '/offers?status=active', 'Offers')}
    ${link(page, '/institutions', 'Institutions')}
    ${member && link(page, '/publish', 'Publish')}
    ${member && link(page, '/mail', mails)}
    ${member?.admin && link(page, '/dead-letters', 'Dead letters')}`
}

function link(page: Page, href: string, label: string | Html): Html {
  return html`<a href="${href}"${page.path === href.split('?')[0] && html` aria-current="page"`}>${label}</a>`
}

function account(page: Page): Html {
  if (page.member === undefined) {
    return html`<div class="account">
      <a href="/login">Log in</a> <a class="button" href="/register">Register</a>
    </div>`
  }
  return html`<form class="account" method="post" action="/logout">
    ${csrfField(page)}
    <span class="who">${page.member.name}</span>
    <button class="quiet">Log out</button>
  </form>`
}
