import { Cache } from '@howdah/cache'
import { Database } from '@howdah/core'
import { PubSub } from '@howdah/pubsub'
import { Queue } from '@howdah/queue'
import { Sessions } from '@howdah/session'
import { startProxy, type TestDatabase, testDatabase } from '@howdah/testkit'
import type { Pool } from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { hasTerminal, inside, inTerminal, PROCESS_MS, json as readJson, start } from './support.js'

let database: TestDatabase
let pool: Pool
const open: { close(): Promise<void> }[] = []

beforeAll(async () => {
  database = await testDatabase()
  pool = database.pool()
  const queue = new Queue('mails', { pool })
  const cache = new Cache({ pool, namespace: 'prices' })
  const pubsub = new PubSub({ pool })
  const sessions = new Sessions({ pool })
  open.push(queue, cache, pubsub, sessions)
  await queue.addMany([{ n: 1 }, { n: 2 }])
  await cache.setMany(Array.from({ length: 10 }, (_, n) => [`k${n}`, n] as const))
  const orders = pubsub.stream('orders')
  await orders.appendMany([{ payload: 1 }, { payload: 2 }, { payload: 3 }])
  await orders.group('ledger', { mode: 'ordered', start: 'earliest' }).deadLetters()
  await orders.read()
  await sessions.create({ userId: 'ada' })
  await pubsub.channel('c').subscribe(() => {})
})
afterAll(async () => {
  for (const one of open) await one.close()
  await Database.from(pool).close()
  await database.close()
})

const env = () => ({ DATABASE_URL: database.url })

test('--once --json tells all there is', async () => {
  const seen = await readJson(['top', '--once'], env())
  expect(seen).toMatchObject({
    code: 0,
    hubs: { listening: 1, polling: 0, quiet: 0 },
    queues: [{ name: 'mails', waiting: 2, dead: 0, added: 2, paused: false }],
    namespaces: [{ name: 'prices', entries: 10, estimated: false }],
    streams: {
      streams: [{ name: 'orders', head: 3 }],
      groups: [{ stream: 'orders', name: 'ledger', lag: 3 }],
      unsequenced: 0,
    },
    sessions: [{ name: 'default', live: 1 }],
    notificationQueueUsage: 0,
  })
  expect(Object.keys(seen.took)).toEqual(['hubs', 'queues', 'cache', 'streams', 'sessions'])
})

test('--once draws a table of each, without colours or other codes', async () => {
  const { code, stdout } = await inside(['top', '--once'], env())
  expect(code).toBe(0)
  expect(stdout).toMatch(/^howdah top {2}.* hubs 1 listening, 0 polling, 0 quiet/)
  expect(stdout).toMatch(/\nQueues\nqueue .*\nmails +2 +0 +0 +0 /)
  expect(stdout).toMatch(/\nCache {2}hit rate .*\nnamespace .*\nprices +10 +1\.\d kB +unlogged\n/)
  expect(stdout).toMatch(/\norders +ledger +3 +3 /)
  expect(stdout).toMatch(/\nSessions .*\nname .*\ndefault +1 +0\n/)
  expect(stdout).not.toContain('\u001b')
})

test('the hit rate is that of the keys that were looked up', async () => {
  const cache = open[1] as Cache
  const before = await readJson(['top', '--once'], env())
  for (let n = 0; n < 20; n++) await cache.get(`k${n}`)
  // Writing looks for its key, too, and is no read.
  for (let n = 5; n < 15; n++) await cache.set(`k${n}`, 'new')
  // A session's figures come through some moments after its last statement.
  const poll = async () => {
    await pool.query('select 1')
    const { activity } = await readJson(['top', '--once'], env())
    const lookups = activity.lookups - before.activity.lookups
    return { lookups, found: activity.found - before.activity.found }
  }
  await expect.poll(poll, { interval: 300 }).toEqual({ lookups: 20, found: 10 })
})

test('packages whose tables are not there are left out', async () => {
  await inside(['migrate', 'up', 'core', 'session', '--schema', 'less'], env())
  const seen = await readJson(['top', '--once', '--schema', 'less'], env())
  expect(seen).toMatchObject({ code: 0, sessions: [] })
  expect(seen.queues).toBeUndefined()
  const { stdout } = await inside(['top', '--once', '--schema', 'nothing'], env())
  expect(stdout).toMatch(/^howdah top .*\n$/)
})

test(
  '--json goes on with a line each time, until it is told to end',
  async () => {
    const child = start(['top', '--json', '--interval', '50ms'], env())
    const ended = new Promise((resolve) => child.once('close', resolve))
    let printed = ''
    await new Promise<void>((resolve) => {
      child.stdout?.on('data', (chunk) => {
        printed += chunk
        if (printed.split('\n').length > 3) resolve()
      })
      child.once('close', () => resolve())
    })
    child.kill('SIGINT')
    expect(await ended).toBe(0)
    const [first, second] = printed.split('\n').map((line) => (line === '' ? {} : JSON.parse(line)))
    expect(first.rates.lookups).toBeNull()
    expect(second.rates).toMatchObject({ lookups: expect.any(Number), sessionsBegun: 0 })
  },
  PROCESS_MS,
)

test(
  'a server that goes away is told, and looked for again',
  async () => {
    const { hostname, port } = new URL(database.url)
    await using proxy = await startProxy({ host: hostname, port: Number(port) })
    const url = new URL(database.url)
    url.port = String(proxy.port)
    const child = start(['top', '--interval', '50ms'], { DATABASE_URL: url.href })
    const ended = new Promise((resolve) => child.once('close', resolve))
    let printed = ''
    child.stdout?.on('data', (chunk) => {
      printed += chunk
    })
    await expect.poll(() => printed, { timeout: 60_000 }).toContain('Queues')
    await proxy.refuse()
    await proxy.cut()
    await expect.poll(() => printed).toContain('The server does not answer:')
    await proxy.accept()
    printed = ''
    await expect.poll(() => printed).toContain('Queues')
    // One that says nothing at all counts as away as well.
    proxy.freeze()
    await expect.poll(() => printed).toContain('The server does not answer:')
    proxy.thaw()
    printed = ''
    await expect.poll(() => printed).toContain('Queues')
    child.kill('SIGTERM')
    expect(await ended).toBe(0)
  },
  PROCESS_MS,
)

test.skipIf(!hasTerminal)(
  'in a terminal it has a screen of its own, and gives it back on q',
  async () => {
    const { child, printed: soFar, ended } = inTerminal('top --interval 100ms', env())
    await expect.poll(soFar, { timeout: 60_000 }).toContain('Sessions')
    child.stdin?.write('q')
    expect(await ended).toBe(0)
    const printed = soFar()
    expect(printed).toContain('\u001b[?1049h\u001b[?25l\u001b[H\u001b[1mhowdah top')
    expect(printed.trimEnd().endsWith('\u001b[?25h\u001b[?1049l')).toBe(true)
    const frame = printed
      .slice(0, printed.indexOf('\u001b[0J'))
      .replaceAll(/\p{Cc}\[[?\d;]*\w/gu, '')
    expect(frame.split('\n').length).toBeLessThanOrEqual(24)
    expect(Math.max(...frame.split('\n').map((line) => line.trimEnd().length))).toBeLessThanOrEqual(
      60,
    )
  },
  PROCESS_MS,
)
