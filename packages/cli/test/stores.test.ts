import { Cache } from '@howdah/cache'
import { Database } from '@howdah/core'
import { PubSub } from '@howdah/pubsub'
import { Sessions } from '@howdah/session'
import { type TestDatabase, testDatabase } from '@howdah/testkit'
import type { Pool } from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { inside, json as readJson } from './support.js'

let database: TestDatabase
let pool: Pool
let pubsub: PubSub

beforeAll(async () => {
  database = await testDatabase()
  pool = database.pool()
  pubsub = new PubSub({ pool })
})
afterAll(async () => {
  await pubsub.close()
  await Database.from(pool).close()
  await database.close()
})

const env = () => ({ DATABASE_URL: database.url })
const json = (args: readonly string[]) => readJson(args, env())
const text = (args: readonly string[]) => inside(args, env())

async function refused(args: readonly string[], code = 'CLI_NOT_CONFIRMED'): Promise<void> {
  const outcome = await text(args)
  expect(outcome).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining(code) })
}

test('cache: namespaces and keys are listed, read and purged', async () => {
  await using one = new Cache({ pool, namespace: 'shop' })
  await using logged = new Cache({ pool, namespace: 'kept', durability: 'logged' })
  await one.set('tea', { cents: 320 }, { ttl: '1h', tags: ['drinks'] })
  await one.set('\u001b[2J', 1n)
  await one.set('cake', Buffer.from('sweet'))
  await logged.set('a', 1)
  expect((await json(['cache', 'list'])).namespaces).toMatchObject([
    { name: 'kept', logged: true, entries: 1, estimated: false },
    { name: 'shop', logged: false, entries: 3 },
  ])
  expect(await json(['cache', 'show', 'kept'])).toMatchObject({ logged: true, entries: 1 })
  const { keys } = await json(['cache', 'keys', 'shop'])
  expect(keys.sort()).toEqual(['\u001b[2J', 'cake', 'tea'])
  expect((await json(['cache', 'keys', 'shop', '--limit', '2'])).keys).toHaveLength(2)
  expect((await text(['cache', 'keys', 'shop'])).stdout).not.toContain('\u001b')
  const tea = await json(['cache', 'get', 'shop', 'tea'])
  expect(tea).toMatchObject({ key: 'tea', value: { cents: 320 } })
  expect(tea.ttl).toBeGreaterThan(3_000_000)
  expect((await json(['cache', 'get', 'shop', '\u001b[2J'])).value).toBe('1n')
  expect((await json(['cache', 'get', 'shop', 'cake'])).value).toContain('5 bytes: ')

  await refused(['cache', 'purge', 'shop'])
  await refused(['cache', 'purge', 'shop', 'tea'])
  await refused(['cache', 'purge', 'shop', '--tag', 'drinks'])
  expect(await one.has('tea')).toBe(true)
  await json(['cache', 'purge', 'shop', '--tag', 'drinks', '--yes'])
  expect(await one.has('tea')).toBe(false)
  expect(await json(['cache', 'purge', 'shop', 'cake', 'tea', '--yes'])).toMatchObject({
    removed: 1,
  })
  await json(['cache', 'purge', 'shop', '--yes'])
  expect(await one.has('\u001b[2J')).toBe(false)
  expect(await logged.has('a')).toBe(true)

  await refused(['cache', 'show', 'nobody'], 'CLI_NOT_FOUND')
  await refused(['cache', 'get', 'shop', 'nothing'], 'CLI_NOT_FOUND')
  const { rowCount } = await pool.query(`select from howdah.cache_namespace where name = 'nobody'`)
  expect(rowCount).toBe(0)
})

test('stream: messages and groups are listed, dead letters retried and forgotten, streams dropped', async () => {
  const orders = pubsub.stream<{ n: number }>('orders')
  await orders.appendMany([1, 2, 3].map((n) => ({ payload: { n }, key: `k${n}` })))
  const group = orders.group('ledger', { mode: 'shared', start: 'earliest', maxAttempts: 1 })
  const consumer = await group.consume(({ payload }) => {
    if (payload.n > 1) throw new Error('no')
  })
  await expect.poll(async () => (await group.deadLetters()).length).toBe(2)
  await consumer.close()

  expect((await json(['stream', 'list'])).streams).toMatchObject([
    { name: 'orders', head: 3, floor: 1, messages: 3 },
  ])
  expect((await json(['stream', 'groups', 'orders'])).groups).toMatchObject([
    { stream: 'orders', name: 'ledger', mode: 'shared', lag: 0, dead: 2 },
  ])
  const last = await json(['stream', 'show', 'orders', '--limit', '2'])
  expect(last.messages).toMatchObject([
    { offset: 2, payload: { n: 2 } },
    { offset: 3, key: 'k3' },
  ])
  const first = await text(['stream', 'show', 'orders', '--after', 'earliest', '--limit', '1'])
  expect(first.stdout).toMatch(/\n +1 .*\{"n":1\}\nMore: --after \S+:1\n$/)
  const dead = await json(['stream', 'dead', 'orders', 'ledger', '--after', '2'])
  expect(dead.letters).toMatchObject([{ offset: 3, attempts: 1, payload: { n: 3 } }])

  await refused(['stream', 'retry', 'orders', 'ledger'])
  await refused(['stream', 'purge', 'orders', 'ledger', '2'])
  await refused(['stream', 'drop', 'orders'])
  expect(await group.deadLetters()).toHaveLength(2)
  expect(await json(['stream', 'retry', 'orders', 'ledger', '2'])).toMatchObject({ retried: 1 })
  expect(await json(['stream', 'purge', 'orders', 'ledger', '--yes'])).toMatchObject({ purged: 1 })
  expect(await group.deadLetters()).toHaveLength(0)
  await refused(['stream', 'dead', 'orders', 'nobody'], 'CLI_NOT_FOUND')
  await refused(['stream', 'show', 'nobody'], 'CLI_NOT_FOUND')
  await refused(['stream', 'retry', 'orders', 'ledger', 'x'], 'CLI_INVALID_OPTION')
  expect(await json(['stream', 'drop', 'orders', '--yes'])).toMatchObject({ dropped: true })
  expect((await json(['stream', 'list'])).streams).toEqual([])
})

test('session: counted by name, listed by user, shown and revoked', async () => {
  await using web = new Sessions({ pool })
  await using app = new Sessions({ pool, name: 'app' })
  const device = { address: '10.0.0.1', userAgent: 'Mozilla\u001b[2J', label: 'laptop' }
  const first = await web.create({ userId: 'ada', secret: 'word' }, { device })
  const second = await web.create({ userId: 'ada' })
  const third = await app.create({ userId: 'ada' })
  await web.create({ userId: 'bob' })
  expect((await json(['session', 'list'])).names).toMatchObject([
    { name: 'app', live: 1 },
    { name: 'default', live: 3, expired: 0, estimated: false },
  ])
  const { sessions } = await json(['session', 'list', 'ada'])
  expect(sessions).toHaveLength(3)
  expect((await json(['session', 'list', 'ada', '--name', 'app'])).sessions).toMatchObject([
    { ref: third.ref, name: 'app', user: 'ada' },
  ])
  const some = await json(['session', 'some', 'default', '--limit', '2'])
  expect(some.sessions).toHaveLength(2)
  const rest = await json(['session', 'some', 'default', '--limit', '2', '--after', some.next])
  expect(rest.sessions).toHaveLength(1)
  const shown = await json(['session', 'show', first.ref])
  expect(shown.session).toMatchObject({ user: 'ada', label: 'laptop', encrypted: false })
  const people = await text(['session', 'show', first.ref])
  expect(people.stdout).toContain('Mozilla\\u001b[2J')
  expect(people.stdout).not.toContain('word')

  await refused(['session', 'revoke', first.ref])
  await refused(['session', 'revoke-user', 'ada'])
  expect(await web.load(first.id)).toBeDefined()
  expect(await json(['session', 'revoke', first.ref, 'f'.repeat(64), '--yes'])).toMatchObject({
    revoked: [first.ref],
  })
  expect(await web.load(first.id)).toBeUndefined()
  expect(await json(['session', 'revoke-user', 'ada', '--name', 'app', '--yes'])).toMatchObject({
    revoked: 1,
  })
  expect(await web.load(second.id)).toBeDefined()
  expect(await json(['session', 'revoke-user', 'ada', '--yes'])).toMatchObject({ revoked: 1 })
  await refused(['session', 'show', first.ref], 'CLI_NOT_FOUND')
  const leaked = await text(['session', 'show', first.id])
  expect(leaked).toMatchObject({ code: 1, stderr: expect.stringContaining('CLI_INVALID_OPTION') })
  expect(leaked.stderr).not.toContain(first.id)
})
