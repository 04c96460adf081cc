import { HowdahKeyv } from '@howdah/cache/keyv'
import { testDatabase } from '@howdah/testkit'
import suite, { keyvIteratorTests } from '@keyv/test-suite'
import Keyv, { type KeyvStoreAdapter } from 'keyv'
import type pg from 'pg'
import * as vitest from 'vitest'

const { afterAll, afterEach, beforeAll, describe, expect, test } = vitest

let database: Awaited<ReturnType<typeof testDatabase>>
let pool: pg.Pool
let open: HowdahKeyv[] = []
let names = 0

beforeAll(async () => {
  database = await testDatabase()
  pool = database.pool()
})
afterEach(async () => {
  await Promise.all(open.map((store) => store.disconnect()))
  open = []
})
afterAll(() => database.close())

function newStore(namespace = 'suite', on: pg.Pool = pool): HowdahKeyv {
  const store = new HowdahKeyv({ pool: on, namespace })
  open.push(store)
  return store
}

/** A Keyv on a store of its own, in a cache that no other test uses. */
function newKeyv(options: object = {}): Keyv {
  return new Keyv({ store: newStore(`test-${++names}`), throwOnErrors: true, ...options })
}

/** Closes a store on a pool whose every statement fails. */
async function brokenStore(): Promise<HowdahKeyv> {
  const ended = database.pool()
  await ended.end()
  return newStore('broken', ended)
}

async function all(keyv: Keyv): Promise<[string, unknown][]> {
  const found: [string, unknown][] = []
  for await (const entry of keyv.iterator?.({}) ?? []) found.push(entry)
  return found.sort()
}

describe('@keyv/test-suite', () => {
  suite(vitest, Keyv, newStore)
  keyvIteratorTests(vitest, Keyv, newStore)
})

describe('HowdahKeyv', () => {
  test('is a store by the types of Keyv, given alone or as an option', async () => {
    const store: KeyvStoreAdapter = newStore('types')
    await new Keyv(store).set('k', 1)
    expect(await new Keyv({ store: newStore('types') }).get('k')).toBe(1)
  })

  test('gives every process the same', async () => {
    const [ours, theirs] = [pool, database.pool()].map(
      (on) => new Keyv({ store: newStore('shared', on), namespace: 'n' }),
    )
    await ours?.set('k', { a: [1, null] })
    expect(await theirs?.get('k')).toEqual({ a: [1, null] })
    await theirs?.clear()
    expect(await ours?.get('k')).toBeUndefined()
  })

  test('clear() empties one namespace, whatever characters it shares with others', async () => {
    // Without a name Keyv writes no prefixes.
    const namespaces = ['a_b', 'axb', 'a%', 'a', 'a:b', '']
    const keyvs = namespaces.map((namespace) => new Keyv({ store: newStore('clear'), namespace }))
    for (const [n, keyv] of keyvs.entries()) await keyv.set('k', n)
    await keyvs[0]?.clear()
    await keyvs[3]?.clear()
    expect(await Promise.all(keyvs.map((keyv) => keyv.get('k')))).toEqual([
      ...[undefined, 1, 2, undefined, 4, 5],
    ])
    await keyvs[5]?.clear()
    expect(await keyvs[1]?.get('k')).toBe(1)
  })

  test('keeps apart the entries of Keyvs that share it', async () => {
    const store = newStore(`test-${++names}`)
    const first = new Keyv({ store, namespace: 'first' })
    await first.set('before', 1)
    const second = new Keyv({ store, namespace: 'second' })
    await first.set('after', 2)
    await second.set('after', 3)
    expect(await first.getMany(['before', 'after'])).toEqual([1, 2])
    expect(await second.getMany(['before', 'after'])).toEqual([undefined, 3])
    expect(await first.delete('after')).toBe(true)
    expect(
      await new Keyv({ store: newStore(`test-${names}`), namespace: 'first' }).has('before'),
    ).toBe(true)
    expect(await second.get('after')).toBe(3)
  })

  test('works without prefixes, and iterates over keys as they were given', async () => {
    const keyv = newKeyv({ namespace: 'n', useKeyPrefix: false })
    await keyv.setMany([
      { key: 'n:1', value: 'one' },
      { key: 'plain', value: 'two' },
    ])
    expect(await all(keyv)).toEqual([
      ['n:1', 'one'],
      ['plain', 'two'],
    ])
    await keyv.clear()
    expect(await all(keyv)).toEqual([])
  })

  test('iterates over more than a batch, in its own namespace only', async () => {
    const [keyv, other] = [newKeyv({ namespace: 'many' }), newKeyv({ namespace: 'other' })]
    await other.set('x', 1)
    const keys = Array.from({ length: 1203 }, (_, n) => `k${String(n).padStart(4, '0')}`)
    await keyv.setMany(keys.map((key, n) => ({ key, value: n })))
    expect(await all(keyv)).toEqual(keys.map((key, n) => [key, n]))
  })

  test('answers for many keys in their order, hostile ones too', async () => {
    const keyv = newKeyv()
    const keys = ['__proto__', 'a\0b', '\ud800', 'é'.repeat(5000), "'", '%', 'a:b']
    const entries = keys.map((key) => ({ key, value: `of ${key.slice(0, 9)}` }))
    expect(await keyv.setMany(entries)).toEqual(keys.map(() => true))
    const asked = ['unknown', ...keys].reverse()
    expect(await keyv.getMany(asked)).toEqual(
      asked.map((key) => entries.find((entry) => entry.key === key)?.value),
    )
    expect(await keyv.hasMany(asked)).toEqual(asked.map((key) => key !== 'unknown'))
    expect(await keyv.deleteMany(['unknown', '__proto__'])).toBe(true)
    expect(await keyv.deleteMany(['unknown', '__proto__'])).toBe(false)
    expect(await keyv.has('a:b')).toBe(true)
    expect((await all(keyv)).map(([key]) => key).sort()).toEqual(keys.slice(1).sort())
  })

  test('takes any number as a time to live', async () => {
    const keyv = newKeyv()
    for (const ttl of [
      0.2,
      60_000.5,
      Number.MAX_SAFE_INTEGER,
      Number.POSITIVE_INFINITY,
      Number.NaN,
    ]) {
      expect(await keyv.set(`ttl ${ttl}`, 1, ttl)).toBe(true)
    }
    for (const ttl of [60_000.5, Number.MAX_SAFE_INTEGER, Number.POSITIVE_INFINITY, Number.NaN]) {
      expect([ttl, await keyv.get(`ttl ${ttl}`)]).toEqual([ttl, 1])
    }
    await expect.poll(() => keyv.get('ttl 0.2')).toBeUndefined()
    await keyv.set('gone', 1)
    await keyv.set('gone', 2, -5)
    await keyv.setMany([
      { key: 'also gone', value: 1 },
      { key: 'also gone', value: 2, ttl: -5 },
      { key: 'back', value: 1, ttl: -5 },
      { key: 'back', value: 2 },
    ])
    expect(await keyv.getMany(['gone', 'also gone', 'back'])).toEqual([undefined, undefined, 2])
    expect(await keyv.store.hasMany(['keyv:gone', 'keyv:also gone'])).toEqual([false, false])
  })

  test('expires by the database, also what Keyv never looks at again', async () => {
    const store = newStore(`test-${++names}`)
    await store.set('k', 'v', 1)
    await expect.poll(() => store.has('k')).toBe(false)
    const short = new HowdahKeyv({ pool, namespace: `test-${++names}`, ttl: 1 })
    open.push(short)
    await short.set('k', 'v')
    await expect.poll(() => short.get('k')).toBeUndefined()
  })

  test('stores values as they are where Keyv does not serialise', async () => {
    const keyv = newKeyv({ serialize: undefined, deserialize: undefined })
    const value = { list: [1, 'two', null] }
    await keyv.set('k', value, 60_000)
    await keyv.setMany([{ key: 'm', value }])
    expect(await keyv.get('k')).toEqual(value)
    expect(await keyv.get('m')).toEqual(value)
  })

  test('tells Keyv of every error, and throws it where Keyv is told to', async () => {
    const keyv = new Keyv({ store: await brokenStore() })
    const errors: unknown[] = []
    keyv.on('error', (error) => errors.push(error))
    expect(await keyv.get('k')).toBeUndefined()
    expect(await keyv.set('k', 1)).toBe(false)
    expect(await keyv.delete('k')).toBe(false)
    await keyv.clear()
    expect(errors).toHaveLength(4)
    for (const error of errors) expect(error).toBeInstanceOf(Error)
    await expect(keyv.getMany(['k'])).rejects.toBeInstanceOf(Error)
    keyv.throwOnErrors = true
    await expect(keyv.get('k')).rejects.toBeInstanceOf(Error)
    // Without a Keyv nobody may listen.
    await expect((await brokenStore()).get('k')).rejects.toBeInstanceOf(Error)
  })

  test('refuses a namespace the cache cannot have, where it is given', () => {
    expect(() => new Keyv({ store: newStore(), namespace: 'a\0b' })).toThrow(
      expect.objectContaining({ code: 'CACHE_INVALID_OPTION' }),
    )
  })

  test('disconnect() ends the store and leaves the pool', async () => {
    const keyv = newKeyv({ namespace: 'n' })
    await keyv.set('k', 1)
    await keyv.disconnect()
    await expect(keyv.get('k')).rejects.toMatchObject({ code: 'CACHE_CLOSED' })
    expect((await pool.query('select 1 as one')).rows).toEqual([{ one: 1 }])
  })
})
