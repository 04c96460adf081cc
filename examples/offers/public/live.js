/**
 * Keeps an open page current. The server says what happened; the page changes the numbers it shows, and loads those of its
 * regions again that said they depend on it:
 *
 * - `data-count="views:12"`                  shows a number of that name
 * - `data-refresh-on="published expired"`    is loaded again after such an event
 *
 * Nothing is replayed to a page that was away. Whenever it is connected, also for the first time, it loads its regions again,
 * so what happened meanwhile is never missing.
 */
const source = new EventSource('/live')
const state = document.querySelector('[data-live-state]')
const number = new Intl.NumberFormat('en')

source.addEventListener('open', () => {
  showState('Live', true)
  refreshSoon('[data-refresh-on]')
})
source.addEventListener('error', () => showState('Reconnecting…', false))
source.addEventListener('message', ({ data }) => {
  const event = JSON.parse(data)
  for (const [name, value] of Object.entries(event.counts ?? {})) showCount(name, value)
  if (event.kind === 'published') announce(event)
  refreshSoon(event.kind === 'gap' ? '[data-refresh-on]' : `[data-refresh-on~="${event.kind}"]`)
})
// A browser keeps few connections to one server; a page that was left must not hold one.
window.addEventListener('pagehide', () => source.close())
window.addEventListener('pageshow', ({ persisted }) => persisted && location.reload())

function showState(text, live) {
  state.textContent = text
  state.classList.toggle('is-live', live)
}

function showCount(name, value) {
  for (const element of document.querySelectorAll(`[data-count="${CSS.escape(name)}"]`)) {
    element.textContent = number.format(value)
  }
}

function announce({ offerId, title }) {
  const link = document.createElement('a')
  link.className = 'toast'
  link.href = `/offers/${offerId}`
  // As text: a title is whatever somebody typed.
  link.textContent = `New: ${title}`
  document.querySelector('[data-toasts]').replaceChildren(link)
  setTimeout(() => link.remove(), 8000)
}

/** Events come in bursts; one load answers all of them. */
const wanted = new Set()
let timer

function refreshSoon(selector) {
  for (const { id } of document.querySelectorAll(selector)) wanted.add(id)
  if (wanted.size === 0) return
  clearTimeout(timer)
  timer = setTimeout(refresh, 100 + Math.random() * 100)
}

async function refresh() {
  const ids = [...wanted]
  wanted.clear()
  try {
    const response = await fetch(location.href, { headers: { 'X-Refresh': '1' } })
    if (!response.ok || response.redirected) return
    const fresh = new DOMParser().parseFromString(await response.text(), 'text/html')
    for (const id of ids) replace(document.getElementById(id), fresh.getElementById(id))
  } catch {
    // The connection is gone; the page loads again when it is back.
  }
}

function replace(old, fresh) {
  if (old === null || fresh === null || old.innerHTML === fresh.innerHTML) return
  const known = new Set(itemsOf(old).map(keyOf))
  const focused =
    old.contains(document.activeElement) && document.activeElement.getAttribute('href')
  for (const details of old.querySelectorAll('details')) {
    fresh.querySelector(`#${details.id}`)?.toggleAttribute('open', details.open)
  }
  for (const item of itemsOf(fresh)) item.classList.toggle('is-new', !known.has(keyOf(item)))
  old.replaceWith(fresh)
  if (focused) fresh.querySelector(`[href="${CSS.escape(focused)}"]`)?.focus()
}

function itemsOf(region) {
  return [...region.querySelectorAll('[data-offer], [data-item]')]
}

function keyOf({ dataset }) {
  return dataset.offer ?? dataset.item
}
