import assert from 'node:assert/strict'
import { waitFor } from '../wait-for.js'
import { HOSTILE_NAMES, HOSTILE_VALUE } from './hostile.js'
import { type ConformanceRunner, type Subject, withSubject } from './runner.js'

/** The least a cache store offers; a store with other names is tested through a few lines that translate. */
export interface KeyValueStore {
  /** Answers with `undefined` where there is nothing. */
  get(key: string): Promise<unknown>
  /** Stores a value JSON can hold, for `ttl` milliseconds or without end. */
  set(
    key: string,
    value: unknown,
    options?: { readonly ttl?: number | undefined },
  ): Promise<unknown>
  /** Tells whether there was something to delete. */
  delete(key: string): Promise<boolean>
}

/** Makes an empty store for one test. */
export type KeyValueFactory = () => Promise<Subject<KeyValueStore>> | Subject<KeyValueStore>

/**
 * Declares tests of what a cache store must do with single keys: get, set, delete, and a time to live.
 *
 * @example
 * ```ts
 * import { describe, it } from 'node:test'
 * import { keyValueConformance } from '@howdah/testkit'
 *
 * keyValueConformance({ describe, it }, async () => {
 *   const entries = new Map<string, unknown>()
 *   return {
 *     subject: {
 *       get: async (key) => entries.get(key),
 *       set: async (key, value) => void entries.set(key, value),
 *       delete: async (key) => entries.delete(key),
 *     },
 *   }
 * })
 * ```
 */
export function keyValueConformance(runner: ConformanceRunner, factory: KeyValueFactory): void {
  const it = withSubject(runner, factory)
  runner.describe('key-value contract', () => {
    declareValues(it)
    declareKeys(it)
    declareTtl(it)
  })
}

type It = ReturnType<typeof withSubject<KeyValueStore>>

function declareValues(it: It): void {
  it('get() of an unknown key returns undefined', async (store) => {
    assert.equal(await store.get('unknown'), undefined)
  })

  it('get() returns what set() stored, with every value JSON can hold', async (store) => {
    const values = [HOSTILE_VALUE, [], {}, '', 'text', 0, -1.5, false, true, [null]]
    for (const value of values) {
      await store.set('a', value)
      assert.deepEqual(await store.get('a'), value)
    }
  })

  it('a stored null differs from nothing', async (store) => {
    await store.set('a', null)
    assert.equal(await store.get('a'), null)
  })

  it('set() replaces the value, also by one of another type', async (store) => {
    await store.set('a', { one: 1, two: 2 })
    await store.set('a', 'text')
    assert.equal(await store.get('a'), 'text')
  })

  it('set() and get() copy: later changes of an object do not reach the store', async (store) => {
    const mine = { items: [1] }
    await store.set('a', mine)
    mine.items.push(2)
    const found = (await store.get('a')) as typeof mine
    found.items.push(3)
    assert.deepEqual(await store.get('a'), { items: [1] })
  })

  it('keeps a value of a megabyte', async (store) => {
    const value = 'é'.repeat(512 * 1024)
    await store.set('a', value)
    assert.ok((await store.get('a')) === value)
  })

  it('of concurrent writes of one key, one wins as a whole', async (store) => {
    const values = Array.from({ length: 20 }, (_, at) => ({ at, again: at }))
    await Promise.all(values.map((value) => store.set('a', value)))
    const found = (await store.get('a')) as { at: number; again: number }
    assert.deepEqual(found, values[found.at])
  })
}

function declareKeys(it: It): void {
  it('delete() removes one key and tells whether it was there', async (store) => {
    await store.set('a', 1)
    await store.set('b', 2)
    assert.equal(await store.delete('a'), true)
    assert.equal(await store.delete('a'), false)
    assert.equal(await store.get('a'), undefined)
    assert.equal(await store.get('b'), 2)
  })

  it('keeps keys apart, whatever they look like', async (store) => {
    await Promise.all(HOSTILE_NAMES.map((key, at) => store.set(key, at)))
    const found = await Promise.all(HOSTILE_NAMES.map((key) => store.get(key)))
    assert.deepEqual(found, [...HOSTILE_NAMES.keys()])
    await store.delete('a%')
    assert.equal(await store.get('ab'), HOSTILE_NAMES.indexOf('ab'))
  })

  it('knows nothing under the names every object has', async (store) => {
    for (const key of ['__proto__', 'constructor', 'toString', 'hasOwnProperty']) {
      assert.equal(await store.get(key), undefined)
      assert.equal(await store.delete(key), false)
    }
  })
}

function declareTtl(it: It): void {
  it('a value is gone after its time to live, and others stay', async (store) => {
    await store.set('short', 1, { ttl: 100 })
    await store.set('long', 2, { ttl: 3_600_000 })
    await store.set('endless', 3)
    await waitFor(async () => (await store.get('short')) === undefined, {
      message: 'the short value expires',
    })
    assert.equal(await store.get('long'), 2)
    assert.equal(await store.get('endless'), 3)
  })

  it('an expired value is not there to be deleted', async (store) => {
    await store.set('a', 1, { ttl: 50 })
    await waitFor(async () => (await store.get('a')) === undefined, {
      message: 'the value expires',
    })
    assert.equal(await store.delete('a'), false)
  })

  it('set() without a time to live ends the one set before', async (store) => {
    await store.set('kept', 1, { ttl: 1_000 })
    await store.set('kept', 2)
    await store.set('control', 1, { ttl: 1_000 })
    await waitFor(async () => (await store.get('control')) === undefined, {
      message: 'the value with a time to live expires',
    })
    assert.equal(await store.get('kept'), 2)
  })
}
