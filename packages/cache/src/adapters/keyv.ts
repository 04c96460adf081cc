/**
 * A storage adapter for Keyv, and through it for cache-manager.
 *
 * @packageDocumentation
 */
import { Emitter } from '@howdah/core'
import { Cache } from '../cache.js'
import type { CacheOptions } from '../options.js'
import { lifetime } from './lifetime.js'

/** Options of {@link HowdahKeyv}, the same as of `Cache`. */
export interface HowdahKeyvOptions extends CacheOptions {
  /** Keeps what Keyv stores apart from other caches of the database. @defaultValue `'keyv'` */
  readonly namespace?: string | undefined
}

/** One entry of {@link HowdahKeyv.setMany}. */
export interface HowdahKeyvEntry {
  readonly key: string
  readonly value: unknown
  /** Milliseconds. @defaultValue the cache's `ttl` */
  readonly ttl?: number | undefined
}

/**
 * Keeps what Keyv stores in PostgreSQL. Give every Keyv a store of its own: `clear()` is about the namespace a store was told last.
 *
 * Each namespace of Keyv is a namespace of the cache, so that clearing one takes one small write however much it holds, and leaves
 * every other alone. Keys are stored as Keyv gives them. Expiry is by the database's clock, besides the one Keyv itself looks at.
 * Needs nothing of Keyv at run time.
 *
 * @example
 * ```ts
 * import { HowdahKeyv } from '@howdah/cache/keyv'
 * import Keyv from 'keyv'
 * import { Pool } from 'pg'
 *
 * const keyv = new Keyv({ store: new HowdahKeyv({ pool: new Pool() }), namespace: 'users' })
 * keyv.on('error', (error) => process.stderr.write(`${error}\n`))
 * await keyv.set('7', { name: 'Ada' }, 60_000)
 * const user = await keyv.get<{ name: string }>('7')
 * ```
 */
export class HowdahKeyv {
  /** The cache of a Keyv without namespace; the others are namespaces below it. */
  readonly cache: Cache
  /** By these Keyv 5 recognises a store it can iterate over. */
  readonly opts: Record<string, unknown> = { dialect: 'postgres', url: 'postgres://' }
  readonly #namespaces = new Map<string, Cache>()
  readonly #events = new Emitter<{ error: [error: unknown] }>()
  #namespace: string | undefined

  /**
   * Checks the options; does no I/O.
   *
   * @throws {@link HowdahError} CACHE_INVALID_OPTION, CORE_INVALID_DURATION, CORE_INVALID_SOURCE
   */
  constructor(options: HowdahKeyvOptions) {
    this.cache = new Cache({ ...options, namespace: options.namespace ?? 'keyv' })
  }

  /**
   * What `clear()` clears. Keyv sets it.
   *
   * @throws {@link HowdahError} CACHE_INVALID_OPTION when the cache takes no such name
   */
  get namespace(): string | undefined {
    return this.#namespace
  }

  set namespace(name: string | undefined) {
    if (name) this.#cacheOf(name)
    this.#namespace = name
  }

  /** Hears of errors of `get`, which Keyv 5 would swallow. Keyv reports those of all other calls itself. */
  on(event: string, listener: (...args: unknown[]) => void): this {
    if (event === 'error') this.#events.on(event, listener)
    return this
  }

  /** Answers what is stored, or `undefined`. */
  async get<Value>(key: string): Promise<Value | undefined> {
    try {
      return await this.#cacheFor(key).get<Value>(key)
    } catch (error) {
      this.#events.emit('error', error)
      throw error
    }
  }

  /** Answers what is stored under each key, in the order of the keys. */
  async getMany<Value>(keys: string[]): Promise<(Value | undefined)[]> {
    const parts = await Promise.all(
      this.#byCache(keys, (key) => key).map(([cache, some]) => cache.getMany<Value>(some)),
    )
    const found = new Map(parts.flatMap((part) => [...part]))
    return keys.map((key) => found.get(key))
  }

  /** Stores a value for `ttl` milliseconds; answers `true`. */
  async set(key: string, value: unknown, ttl?: number): Promise<boolean> {
    const left = lifetime(ttl)
    const cache = this.#cacheFor(key)
    if (left === 0) await cache.delete(key)
    else await cache.set(key, value, { ttl: left })
    return true
  }

  /** Stores values; answers `true` for each. Later entries of one key win. */
  async setMany(entries: HowdahKeyvEntry[]): Promise<boolean[]>
  /** The same to the types of Keyv 5, which hands on what it gets as what it should be. */
  async setMany(entries: HowdahKeyvEntry[]): Promise<void>
  async setMany(entries: HowdahKeyvEntry[]): Promise<unknown> {
    // The last entry of a key decides, also where it is over already and the key is to go.
    const last = [...new Map(entries.map((entry) => [entry.key, entry])).values()]
    const over = last.filter((entry) => lifetime(entry.ttl) === 0).map((entry) => entry.key)
    const kept = last.filter((entry) => lifetime(entry.ttl) !== 0)
    await Promise.all([
      ...this.#byCache(kept, (entry) => entry.key).map(([cache, some]) =>
        cache.setMany(some.map(({ key, value, ttl }) => [key, value, { ttl: lifetime(ttl) }])),
      ),
      over.length > 0 ? this.deleteMany(over) : undefined,
    ])
    return entries.map(() => true)
  }

  /** Forgets a key. Answers whether it held something. */
  async delete(key: string): Promise<boolean> {
    return this.#cacheFor(key).delete(key)
  }

  /** Forgets keys. Answers whether any held something. */
  async deleteMany(keys: string[]): Promise<boolean> {
    const counts = await Promise.all(
      this.#byCache(keys, (key) => key).map(([cache, some]) => cache.deleteMany(some)),
    )
    return counts.some((count) => count > 0)
  }

  /** Forgets everything in {@link HowdahKeyv.namespace}, and nothing else. */
  async clear(): Promise<void> {
    await this.#cacheOf(this.#namespace).clear()
  }

  /** Tells whether a key holds something. */
  async has(key: string): Promise<boolean> {
    return this.#cacheFor(key).has(key)
  }

  /** Tells whether each key holds something, in the order of the keys. */
  async hasMany(keys: string[]): Promise<boolean[]> {
    return Promise.all(keys.map((key) => this.has(key)))
  }

  /** Gives the live entries of a namespace, keys as Keyv gave them. */
  async *iterator<Value>(
    namespace: string | undefined = this.#namespace,
  ): AsyncGenerator<[key: string, value: Value], void> {
    for await (const [key, value] of this.#cacheOf(namespace).entries<Value>()) yield [key, value]
  }

  /** Stops the background work. The pool stays open. */
  async disconnect(): Promise<void> {
    await Promise.all([this.cache, ...this.#namespaces.values()].map((cache) => cache.close()))
  }

  #cacheOf(namespace: string | undefined): Cache {
    if (!namespace) return this.cache
    let cache = this.#namespaces.get(namespace)
    if (cache === undefined) {
      cache = this.cache.namespace(namespace)
      this.#namespaces.set(namespace, cache)
    }
    return cache
  }

  /**
   * The cache a key belongs to. Several Keyvs may share a store although they should not; then the prefix of the key tells whose it
   * is. Where it does not, the Keyv came last, or writes no prefixes.
   */
  #cacheFor(key: string): Cache {
    let owner = this.#namespace
    if (this.#namespaces.size > 1) {
      let length = -1
      for (const name of this.#namespaces.keys()) {
        if (name.length <= length || !key.startsWith(`${name}:`)) continue
        owner = name
        length = name.length
      }
    }
    return this.#cacheOf(owner)
  }

  #byCache<Item>(items: readonly Item[], keyOf: (item: Item) => string): [Cache, Item[]][] {
    const groups = new Map<Cache, Item[]>()
    for (const item of items) {
      const cache = this.#cacheFor(keyOf(item))
      const group = groups.get(cache)
      if (group === undefined) groups.set(cache, [item])
      else group.push(item)
    }
    return [...groups]
  }
}
