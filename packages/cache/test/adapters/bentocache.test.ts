import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { type HowdahBentoDriverOptions, howdahBentoDriver } from '@howdah/cache/bentocache'
import { testDatabase } from '@howdah/testkit'
import { BentoCache, bentostore } from 'bentocache'
import { memoryDriver } from 'bentocache/drivers/memory'
import type { CreateDriverResult, L2CacheDriver } from 'bentocache/types'
import { Pool } from 'pg'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { SuiteSummary } from './bentocache-runner.js'

let database: Awaited<ReturnType<typeof testDatabase>>
let pool: Pool
let prefixes = 0
let open: { disconnect(): Promise<void> }[] = []

beforeAll(async () => {
  database = await testDatabase()
  pool = database.pool()
})
afterEach(async () => {
  await Promise.all(open.map((one) => one.disconnect()))
  open = []
})
afterAll(() => database.close())

function newDriver(options: Partial<HowdahBentoDriverOptions> = {}) {
  const made = howdahBentoDriver({ pool, prefix: `test-${++prefixes}`, ...options })
  const driver = made.factory(made.options)
  open.push(driver)
  return driver
}

/** A process with memory of its own and the shared layer. */
function newBento(prefix: string, options: { on?: Pool; grace?: string; memory?: boolean } = {}) {
  const { on = pool, grace = false, memory = true } = options
  const store = bentostore().useL2Layer(howdahBentoDriver({ pool: on }))
  if (memory) store.useL1Layer(memoryDriver({ maxItems: 100 }))
  const bento = new BentoCache({ default: 'main', prefix, grace, stores: { main: store } })
  open.push(bento)
  return bento
}

test("passes bentocache's own suite for drivers", { timeout: 60_000 }, async () => {
  const script = fileURLToPath(new URL('./bentocache-runner.ts', import.meta.url))
  const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', script], {
    env: { ...process.env, TEST_DATABASE_URL: database.url },
    timeout: 50_000,
  }).catch((error: { stdout: string }) => error)
  const { total, passed, failures }: SuiteSummary = JSON.parse(
    stdout.trim().split('\n').at(-1) ?? '',
  )
  expect(failures).toEqual([])
  expect(passed).toBe(total)
  expect(total).toBeGreaterThanOrEqual(20)
})

describe('HowdahBentoDriver', () => {
  test('is what useL2Layer() takes by its types', () => {
    const layer: CreateDriverResult<L2CacheDriver> = howdahBentoDriver({ pool })
    expect(bentostore().useL2Layer(layer).entry.l2).toBe(layer)
  })

  test('clear() compares prefixes and namespaces by characters', async () => {
    const [one, other] = [newDriver({ prefix: 'a_b' }), newDriver({ prefix: 'axb' })]
    for (const driver of [one, other]) {
      await driver.set('k', '1')
      await driver.namespace('n_s').set('k', '2')
      await driver.namespace('nxs').set('k', '3')
    }
    await other.namespace('n_s').clear()
    expect(await other.get('n_s:k')).toBeUndefined()
    expect([await other.get('k'), await other.get('nxs:k')]).toEqual(['1', '3'])
    await one.clear()
    expect([await one.get('k'), await one.get('nxs:k')]).toEqual([undefined, undefined])
    expect([await other.get('k'), await other.get('nxs:k')]).toEqual(['1', '3'])
  })

  test('clear() of a namespace empties more than a batch', async () => {
    const driver = newDriver()
    const users = driver.namespace('users')
    await driver.set('usersAbc', 'stays')
    const keys = Array.from({ length: 1201 }, (_, n) => `k${n}`)
    await Promise.all(keys.map((key) => users.set(key, 'x')))
    await users.clear()
    expect((await Promise.all(keys.map((key) => users.get(key)))).filter(Boolean)).toEqual([])
    expect(await driver.get('usersAbc')).toBe('stays')
  })

  test('pull() gives a value to one of many who ask at once', async () => {
    const [ours, theirs] = [
      newDriver({ prefix: 'pulled' }),
      newDriver({ prefix: 'pulled', pool: database.pool() }),
    ]
    await ours.set('k', 'once')
    const answers = await Promise.all(
      [ours, theirs, ours, theirs].map((driver) => driver.pull('k')),
    )
    expect(answers.filter((answer) => answer !== undefined)).toEqual(['once'])
  })

  test('takes any text as a key and a value, and any number as a time to live', async () => {
    const driver = newDriver()
    for (const key of ['__proto__', 'a\0b', '\ud800', 'é'.repeat(5000), '']) {
      await driver.set(key, `${key}\0`)
      expect(await driver.get(key)).toBe(`${key}\0`)
    }
    await driver.set('forever', 'v', Number.MAX_SAFE_INTEGER)
    await driver.set('over', 'v')
    await driver.set('over', 'v', -1)
    expect([await driver.get('forever'), await driver.get('over')]).toEqual(['v', undefined])
  })

  test('does not end the pool', async () => {
    await newDriver().disconnect()
    expect((await pool.query('select 1 as one')).rows).toEqual([{ one: 1 }])
  })
})

describe('BentoCache with memory and PostgreSQL', () => {
  test('loads once for all processes, and answers from memory afterwards', async () => {
    const [ours, theirs] = [newBento('loads'), newBento('loads', { on: database.pool() })]
    let loads = 0
    const ask = (bento: typeof ours) =>
      bento.getOrSet({ key: 'k', ttl: '1m', factory: () => ({ load: ++loads }) })
    expect([await ask(ours), await ask(theirs), await ask(ours)]).toEqual(
      Array.from({ length: 3 }, () => ({ load: 1 })),
    )
    await newDriver({ prefix: 'loads' }).clear()
    expect(await ask(ours)).toEqual({ load: 1 })
    expect(loads).toBe(1)
  })

  test('deletes by tag in every process', async () => {
    const memory = false
    const ours = newBento('tags', { memory })
    const theirs = newBento('tags', { memory, on: database.pool() })
    await ours.set({ key: 'a', value: 1, tags: ['x'], ttl: '1m' })
    await ours.set({ key: 'b', value: 2, tags: ['x', 'y'], ttl: '1m' })
    await ours.set({ key: 'c', value: 3, tags: ['y'], ttl: '1m' })
    expect(await theirs.get({ key: 'a' })).toBe(1)
    await theirs.deleteByTag({ tags: ['x'] })
    expect(await Promise.all(['a', 'b', 'c'].map((key) => ours.get({ key })))).toEqual([
      undefined,
      undefined,
      3,
    ])
  })

  test('serves a value within its grace while the loader fails', async () => {
    const bento = newBento('grace', { grace: '1h', memory: false })
    await bento.set({ key: 'k', value: 'old', ttl: 1 })
    await expect.poll(() => bento.get({ key: 'k', grace: false })).toBeUndefined()
    const fails = () => Promise.reject(new Error('down'))
    expect(await bento.getOrSet({ key: 'k', ttl: '1m', factory: fails })).toBe('old')
    await expect(bento.getOrSet({ key: 'other', ttl: '1m', factory: fails })).rejects.toThrow()
  })

  test('clear() empties namespaces and nothing of other prefixes', async () => {
    const [one, other] = [newBento('a_b'), newBento('axb')]
    const users = one.namespace('users')
    await one.set({ key: 'k', value: 1 })
    await users.set({ key: 'k', value: 2 })
    await other.set({ key: 'k', value: 3 })
    await other.namespace('users').set({ key: 'k', value: 4 })
    await users.clear()
    expect([await one.get({ key: 'k' }), await users.get({ key: 'k' })]).toEqual([1, undefined])
    await users.set({ key: 'k', value: 2 })
    await one.clear()
    const fresh = newBento('a_b')
    expect(await fresh.get({ key: 'k' })).toBeUndefined()
    expect(await fresh.namespace('users').get({ key: 'k' })).toBeUndefined()
    const others = newBento('axb')
    expect(await others.get({ key: 'k' })).toBe(3)
    expect(await others.namespace('users').get({ key: 'k' })).toBe(4)
  })

  test('lives by its memory alone while there is no database', async () => {
    const nowhere = new Pool({ host: '127.0.0.1', port: 1 })
    const bento = newBento('gone', { on: nowhere })
    expect(await bento.getOrSet({ key: 'k', factory: () => 1 })).toBe(1)
    expect(await bento.get({ key: 'k' })).toBe(1)
    await expect(newDriver({ pool: nowhere }).get('k')).rejects.toMatchObject({
      code: 'ECONNREFUSED',
    })
    await nowhere.end()
  })
})
