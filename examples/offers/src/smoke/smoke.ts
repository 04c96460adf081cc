import assert from 'node:assert/strict'
import type { RunningServer } from '../server.js'
import { Client } from './client.js'
import { Listener } from './listener.js'

const INSTITUTION = 'Teapot Telecom'

/**
 * Uses the board as two members, a visitor and an administrator would, over real HTTP and live connections. Prints each step.
 *
 * @throws Error saying what was not as it should be
 */
export async function smoke({ url, demoMembers }: RunningServer): Promise<void> {
  const [reader, publisher, admin, visitor] = [0, 1, 2, 3].map(() => new Client(url)) as [
    Client,
    Client,
    Client,
    Client,
  ]
  const listeners: Listener[] = []
  const listen = async (client: Client) => {
    const listener = await Listener.open(client)
    listeners.push(listener)
    return listener
  }
  const title = `Smoke signal ${Date.now()}`
  let offerPath = ''

  try {
    await step('three members log in', async () => {
      for (const [at, client] of [reader, publisher, admin].entries()) {
        const { email, password } = demoMembers[at] ?? assert.fail('a demo account is missing')
        await client.logIn(email, password)
        assert.match(await client.page('/'), /Log out/)
      }
    })
    await step('a visitor searches, and facets narrow the search', async () => {
      const all = found(await visitor.page('/offers'))
      const words = found(await visitor.page('/offers?q=students'))
      const page = await visitor.page('/offers?q=students&category=Energy&status=active')
      assert.match(page, /aria-current="true"/)
      assert.ok(all >= 2000, `at least 2,000 offers, not ${all}`)
      assert.ok(words < all && found(page) < words && found(page) > 0, 'each narrows the last')
    })
    await step('the hot lists come from the cache the second time', async () => {
      await visitor.page('/')
      assert.match(await visitor.page('/'), /from the cache/)
    })
    const [readers, publishers, admins] = [
      await listen(reader),
      await listen(publisher),
      await listen(admin),
    ]
    await step('the reader follows an institution, which the publisher sees live', async () => {
      const path = `/institutions/${encodeURIComponent(INSTITUTION)}/follow`
      const { status } = await reader.submit('/institutions', path, { following: 'yes' })
      assert.equal(status, 303)
      await publishers.event('count of followers', (event) => event.kind === 'followed')
    })
    await step('the publisher publishes an offer', async () => {
      const fields = {
        institution: INSTITUTION,
        category: 'Broadband',
        bonus: '120',
        runsFor: '60',
      }
      const form = { ...fields, title, body: 'Light a fire.\nWave a blanket.' }
      const answer = await publisher.submit('/publish', '/publish', form)
      assert.equal(answer.status, 303, answer.text)
      offerPath = answer.location ?? ''
    })
    await step('the reader’s page hears of it', async () => {
      await readers.event('news of the offer', (event) => event.title === title)
    })
    await step('the cached lists show it, and the search finds it', async () => {
      assert.match(await visitor.page('/'), new RegExp(title))
      const words = new URLSearchParams({ q: `"${title}"` })
      assert.equal(found(await visitor.page(`/offers?${words}`)), 1)
    })
    await step('the mail job has run', async () => {
      await readers.event('mail', (event) => event.kind === 'mailed')
      assert.match(await reader.page('/mail'), new RegExp(title))
    })
    await step('the views are counted live', async () => {
      await visitor.page(offerPath)
      await readers.event('count of views', (event) => event.kind === 'viewed')
    })
    await step(
      'the mail to a full mailbox is a dead letter, and is sent once redriven',
      async () => {
        await admins.event('dead letter', (event) => event.kind === 'undelivered')
        const page = await admin.page('/dead-letters')
        assert.match(page, new RegExp(title))
        const mailbox = /action="(\/mailboxes\/\d+\/empty)"/.exec(page)?.[1]
        if (mailbox !== undefined) await admin.submit('/dead-letters', mailbox, {})
        await admin.submit('/dead-letters', '/dead-letters/redrive', {})
        assert.doesNotMatch(await admin.page('/dead-letters'), new RegExp(title))
      },
    )
    await step('the reader logs out', async () => {
      const { cookie } = reader
      await reader.submit('/', '/logout', {})
      assert.notEqual(cookie, '')
      assert.equal((await reader.get('/mail')).status, 303)
    })
  } finally {
    await Promise.all(listeners.map((listener) => listener.close()))
  }
  console.log('All steps passed.')
}

async function step(what: string, run: () => Promise<void>): Promise<void> {
  try {
    await run()
    console.log(`  ✓ ${what}`)
  } catch (error) {
    console.log(`  ✗ ${what}`)
    throw error
  }
}

/** Reads how many offers a search page says it found. */
function found(page: string): number {
  const text = /class="found">([\d,]+|No) offer/.exec(page)?.[1] ?? assert.fail('no summary')
  return text === 'No' ? 0 : Number(text.replaceAll(',', ''))
}
