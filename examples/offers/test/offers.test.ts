import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { notTested } from '../../../scripts/not-tested.js'
import { Client } from '../src/smoke/client.js'
import { Listener } from '../src/smoke/listener.js'
import { descendants, isRunning } from './descendants.js'
import { launchBrowser } from './find-browser.js'
import { RunningApp } from './running-app.js'

const OFFER = {
  body: 'Tell one friend.',
  institution: 'Teapot Telecom',
  category: 'Broadband',
  bonus: '75',
  runsFor: '86400',
}

let app: RunningApp
let browser: Browser | undefined

beforeAll(async () => {
  ;[app, browser] = await Promise.all([RunningApp.start(), launchBrowser()])
}, 120_000)

afterAll(async () => {
  await browser?.close()
  await app?.stop()
})

async function loggedIn(name: 'reader' | 'publisher' | 'admin'): Promise<Client> {
  const client = new Client(app.url)
  await client.logIn(...app.account(name))
  return client
}

async function openAs(name: 'reader' | 'publisher', on: Browser): Promise<Page> {
  const page = await (await on.newContext()).newPage()
  const [email, password] = app.account(name)
  await page.goto(`${app.url}/login`)
  await page.getByLabel('E-mail').fill(email)
  await page.getByLabel('Password').fill(password)
  await page.getByRole('main').getByRole('button', { name: 'Log in' }).click()
  await page.getByText('Live', { exact: true }).waitFor()
  return page
}

describe('two members at once', () => {
  test('an offer that one publishes appears on the page the other has open', async (context) => {
    const title = 'Seen without a reload'
    if (browser === undefined) {
      notTested('examples/offers in two browsers', 'there is no Chromium; it ran over HTTP and SSE')
      await context.annotate('No Chromium here: run over HTTP and server-sent events.')
      const [reader, publisher] = [await loggedIn('reader'), await loggedIn('publisher')]
      const page = await Listener.open(reader)
      await publisher.submit('/publish', '/publish', { ...OFFER, title })
      await page.event('news of the offer', (event) => event.title === title)
      expect(await reader.page('/')).toContain(title)
      await page.close()
      return
    }
    await context.annotate('Run in two contexts of Chromium.')
    const [reader, publisher] = [
      await openAs('reader', browser),
      await openAs('publisher', browser),
    ]
    // A reload would lose it.
    await reader.evaluate("document.documentElement.dataset.kept = 'yes'")
    await publisher.goto(`${app.url}/publish`)
    await publisher.getByLabel('Title').fill(title)
    await publisher.getByLabel('Institution').selectOption(OFFER.institution)
    await publisher.getByLabel('Category').selectOption(OFFER.category)
    await publisher.getByLabel('Bonus').fill(OFFER.bonus)
    await publisher.getByLabel('What one has to do').fill(OFFER.body)
    await publisher.getByRole('main').getByRole('button', { name: 'Publish' }).click()
    await publisher.getByRole('heading', { level: 1, name: title }).waitFor()
    await reader.getByRole('heading', { level: 3, name: title }).waitFor()
    expect(await reader.evaluate('document.documentElement.dataset.kept')).toBe('yes')
    await Promise.all([reader.context().close(), publisher.context().close()])
  })

  test('the views that one makes are counted on the page the other has open', async () => {
    const [reader, publisher] = [await loggedIn('reader'), await loggedIn('publisher')]
    const page = await Listener.open(reader)
    const { location } = await publisher.submit('/publish', '/publish', {
      ...OFFER,
      title: 'Viewed',
    })
    const id = location?.split('/').at(-1)
    await publisher.page(`/offers/${id}`)
    const { counts } = await page.event('views', (event) => event.kind === 'viewed')
    await page.close()
    expect(counts).toEqual({ [`views:${id}`]: 1 })
  })
})

describe('hostile visitors', () => {
  test('a title that looks like markup stays text on every page', async () => {
    const title = `Cheap <img src=x onerror="document.title='owned'"><script>1</script>`
    const publisher = await loggedIn('publisher')
    const page = browser && (await openAs('reader', browser))
    const { location } = await publisher.submit('/publish', '/publish', { ...OFFER, title })
    for (const path of ['/', '/offers?sort=newest', location ?? '', '/offers?q=cheap']) {
      const source = await publisher.page(path)
      expect(source, path).not.toContain('<img src=x')
      expect(source, path).toContain('&lt;img src=x')
    }
    if (page === undefined) return
    // Both the notice and the card that the script brings in.
    await page.getByText(`New: ${title}`).waitFor()
    await page.getByRole('heading', { level: 3, name: title }).waitFor()
    expect(await page.title()).not.toBe('owned')
    expect(await page.locator('img[src=x]').count()).toBe(0)
    await page.context().close()
  })

  test('a form without the token of its session is refused and changes nothing', async () => {
    const [reader, publisher] = [await loggedIn('reader'), await loggedIn('publisher')]
    const foreign = /name="csrf" value="([^"]+)"/.exec(await reader.page('/publish'))?.[1] ?? ''
    for (const csrf of ['', foreign, `${foreign}x`]) {
      const title = 'Forged offer'
      expect((await publisher.post('/publish', { ...OFFER, title, csrf })).status).toBe(403)
    }
    expect(await publisher.page('/offers?q="Forged offer"')).toContain('No offers')
  })

  test('logging in changes the session’s id, and logging out ends it for good', async () => {
    const client = new Client(app.url)
    await client.page('/login')
    const before = client.cookie
    await client.logIn(...app.account('reader'))
    const during = client.cookie
    expect(before).not.toBe('')
    expect(during).not.toBe(before)
    await client.submit('/', '/logout', {})
    const replayed = await fetch(`${app.url}/mail`, {
      headers: { cookie: during },
      redirect: 'manual',
    })
    expect(replayed.headers.get('location')).toBe('/login')
  })

  test('cookies are out of reach of scripts, and inline scripts are forbidden', async () => {
    const response = await new Client(app.url).get('/login')
    expect(response.headers.get('set-cookie')).toMatch(/HttpOnly.*SameSite=Lax/)
    const policy = response.headers.get('content-security-policy') ?? ''
    expect(policy).toContain("script-src 'self'")
    expect(policy).not.toContain('unsafe')
  })

  test('odd addresses and inputs get an answer that is not an error of ours', async () => {
    const member = await loggedIn('reader')
    const paths = [
      '/offers/0',
      '/offers/99999999999999999999',
      '/offers/%00',
      '/offers/__proto__',
      `/offers?q=${'('.repeat(5000)}`,
      '/offers?q=%00"&category=%00&status=__proto__&sort=__proto__&page=1e9',
      "/offers?institution=';drop table offers_board.offer--&page=-1",
      '/offers?q[a]=1&category[__proto__]=2',
      '/dead-letters',
      '/nowhere',
    ]
    for (const path of paths) expect((await member.get(path)).status, path).toBeLessThan(500)
    const bad = { ...OFFER, title: '\0', bonus: '1e3.5', runsFor: '1', institution: '__proto__' }
    expect((await member.submit('/publish', '/publish', bad)).status).toBe(422)
    const huge = { ...OFFER, title: 'huge', body: 'x'.repeat(100_000) }
    expect((await member.submit('/publish', '/publish', huge)).status).toBe(413)
    expect((await member.submit('/publish', '/dead-letters/redrive', {})).status).toBe(404)
  })
})

// Last, for it ends the application.
test('SIGTERM ends the application with open pages, and leaves no process behind', async () => {
  const page = await Listener.open(await loggedIn('reader'))
  const family = descendants(app.process.pid ?? 0)
  expect(family.length).toBeGreaterThan(0)
  expect(await app.stop()).toBe(0)
  await expect.poll(() => family.filter(isRunning), { timeout: 10_000 }).toEqual([])
  await page.close()
})
