/**
 * A namespace of cached values.
 *
 * Invariants
 * - An entry is seen until its TTL has passed by the database's clock, never by ours.
 * - Calls of one process on one key take effect in the order they were made.
 * - One loader of a key runs at a time, in all processes together (loads.ts says how, and what ends its right to store).
 */
import { Database, type Duration, type MetricReader, type MetricSource } from '@howdah/core'
import { Activity } from './activity.js'
import type { CacheEntry } from './cache-entry.js'
import { cacheReader } from './cache-metrics.js'
import { EntryStore } from './entry-store.js'
import { cacheError } from './errors.js'
import type { CacheEvents, CacheStats } from './events.js'
import { originalOf, storedKey } from './key.js'
import { list } from './listing.js'
import { type LoadContext, Loads } from './loads.js'
import { Maintenance } from './maintenance.js'
import { MaterializedQuery } from './materialized/materialized-query.js'
import type { MaterializedOptions } from './materialized/options.js'
import { Near } from './near/near.js'
import { open } from './opening.js'
import {
  assertNamespace,
  type CacheOptions,
  checkTags,
  type GetOptions,
  type GetOrSetOptions,
  type IncrementOptions,
  isStrong,
  type ResolvedCacheOptions,
  resolveOptions,
  type SetOptions,
  type WriteOptions,
} from './options.js'
import { planLoad } from './plan-load.js'
import { type Found, Reader } from './reader.js'
import { readUsage } from './sql/maintain.js'
import { clearNamespace, invalidateTags } from './sql/namespace.js'
import { trace } from './trace.js'
import { decodeValue } from './value.js'
import { lifetime, toWrite, type Write } from './write.js'

const NO_OPTIONS: GetOptions & GetOrSetOptions = Object.freeze({})

/**
 * A key-value cache in PostgreSQL. Entries live in an UNLOGGED table, so a crash of the server empties the cache and loses nothing
 * else, or in a logged one where you ask for it. Concurrent calls of a process travel together in one statement.
 *
 * @example
 * ```ts
 * import { Cache } from '@howdah/cache'
 * import { Pool } from 'pg'
 *
 * const cache = new Cache({ pool: new Pool(), namespace: 'prices', ttl: '5m' })
 * await cache.set('tea', { cents: 320 })
 * const price = await cache.get<{ cents: number }>('tea')
 * const coffee = await cache.getOrSet('coffee', async (key) => ({ key, cents: 410 }), { grace: '1h' })
 * ```
 */
export class Cache implements MetricSource {
  readonly #source: CacheOptions
  readonly #options: ResolvedCacheOptions
  readonly #db: Database
  readonly #near: Near<string> | undefined
  readonly #store: EntryStore
  readonly #reader: Reader
  readonly #loads: Loads
  readonly #maintenance: Maintenance
  readonly #activity: Activity
  readonly #context: () => { readonly target: string }
  readonly #materialized = new Set<{ close(): Promise<void> }>()
  #opening: Promise<void> | undefined
  #open = false
  #closed = false

  /**
   * Checks the options; does no I/O.
   *
   * @throws {@link HowdahError} CACHE_INVALID_OPTION, CORE_INVALID_DURATION, CORE_INVALID_SOURCE
   */
  constructor(options: CacheOptions) {
    this.#source = options
    this.#options = resolveOptions(options)
    this.#db = Database.from(options.pool)
    this.#activity = new Activity()
    const onError = (error: unknown) => this.#activity.failed(error)
    const { namespace, logged, codec, near } = this.#options
    if (near !== undefined) this.#near = new Near(this.#db, { namespace, logged, onError, ...near })
    this.#store = new EntryStore(this.#db, this.#options, this.#near)
    this.#reader = new Reader(this.#store, codec, this.#near, onError)
    this.#loads = new Loads(this.#store)
    const onEvict = (count: number) => this.#activity.evicted(count)
    this.#maintenance = new Maintenance(this.#db, this.#store, this.#options, onEvict, onError)
    this.#context = () => ({ target: namespace })
  }

  /** Name of the namespace, with those it lies in: `shop:prices`. */
  get name(): string {
    return this.#options.namespace
  }

  /** Calls back on each such event and returns the function that ends that. */
  on<Name extends keyof CacheEvents & string>(
    name: Name,
    listener: (...args: CacheEvents[Name]) => void,
  ): () => void {
    return this.#activity.events.on(name, listener)
  }

  /**
   * Answers a cache with the same options for another namespace: `parent:name`. Clearing one does not clear the other. Close it
   * on its own.
   *
   * @throws {@link HowdahError} CACHE_INVALID_OPTION
   */
  namespace(name: string): Cache {
    assertNamespace(name)
    return new Cache({ ...this.#source, namespace: `${this.#options.namespace}:${name}` })
  }

  /**
   * Answers the value of a key, or `undefined` where there is none or its time has passed. A cached `null` comes back as `null`;
   * {@link Cache.entry} and {@link Cache.has} tell a cached `undefined` from a miss.
   *
   * @throws {@link HowdahError} CACHE_INVALID_KEY, CACHE_UNREADABLE_VALUE, CACHE_CLOSED
   */
  async get<T = unknown>(key: string, options: GetOptions = NO_OPTIONS): Promise<T | undefined> {
    const recalled = this.#recall(key, options)
    if (recalled !== undefined) return this.#reader.decode(recalled) as T
    const found = await this.#read(key, options)
    this.#noteRead(key, found !== undefined)
    return found === undefined ? undefined : (this.#reader.decode(found) as T)
  }

  /** Answers the values of those keys that have one, in the order of the keys. */
  async getMany<T = unknown>(
    keys: Iterable<string>,
    options: GetOptions = NO_OPTIONS,
  ): Promise<Map<string, T>> {
    const wanted = [...new Set(keys)]
    const recalled = wanted.map((key) => this.#recall(key, options))
    const missing = wanted.filter((_, at) => recalled[at] === undefined)
    const read = missing.length === 0 ? [] : await this.#readMany(missing, options)
    const values = new Map<string, T>()
    let next = 0
    for (const [at, key] of wanted.entries()) {
      const found = recalled[at] ?? read[next++]
      if (found !== undefined) values.set(key, this.#reader.decode(found) as T)
    }
    return values
  }

  /** Answers a value with its version and the time it has left, or `undefined` where there is none. Always asks the database. */
  async entry<T = unknown>(
    key: string,
    { client }: GetOptions = {},
  ): Promise<CacheEntry<T> | undefined> {
    const stored = storedKey(key)
    if (!this.#open) await this.#ready()
    const row = await trace.get.run(this.#context, () => this.#store.readEntry(stored, client))
    this.#noteRead(key, row !== undefined)
    if (row === undefined) return undefined
    const value = decodeValue(row.value, this.#options.codec) as T
    return { value, version: row.version, ttl: row.ttl }
  }

  /** Tells whether a key has a live value, be it `null` or `undefined`. */
  async has(key: string, options: GetOptions = NO_OPTIONS): Promise<boolean> {
    return (await this.#find(key, options)) !== undefined
  }

  /** Answers the milliseconds a key has left to live: `null` for ever, `undefined` where there is no value. */
  async ttl(key: string, { client }: GetOptions = {}): Promise<number | null | undefined> {
    const stored = storedKey(key)
    if (!this.#open) await this.#ready()
    return (await this.#store.readEntry(stored, client))?.ttl
  }

  /**
   * Stores a value under a key, over what was there.
   *
   * @throws {@link HowdahError} CACHE_INVALID_KEY, CACHE_INVALID_VALUE, CACHE_INVALID_TAG, CACHE_VALUE_TOO_LARGE, CACHE_CLOSED; nothing
   * is stored then
   */
  async set(key: string, value: unknown, options: SetOptions = {}): Promise<void> {
    const write = toWrite(key, value, options, this.#options)
    if (!this.#open) await this.#ready()
    if (!trace.set.active) await this.#store.put(write, options.client)
    else await trace.set.run(this.#context, () => this.#store.put(write, options.client))
    this.#noteWrite(write)
  }

  /**
   * Stores several values; options of an entry go before those of the call. Of a key that comes twice the last counts. With a
   * client all are written by one statement, else by one for each thousand of them.
   *
   * @throws {@link HowdahError} as {@link Cache.set}; nothing is stored where one of them is not valid
   */
  async setMany(
    entries: Iterable<
      readonly [key: string, value: unknown, options?: Omit<SetOptions, 'client'> | undefined]
    >,
    options: SetOptions = {},
  ): Promise<void> {
    const writes = new Map<string, Write>()
    for (const [key, value, own] of entries) {
      const write = toWrite(key, value, { ...options, ...own }, this.#options)
      writes.set(write.key, write)
    }
    if (writes.size === 0) return
    if (!this.#open) await this.#ready()
    const all = [...writes.values()]
    await trace.set.run(this.#context, () => this.#store.putMany(all, options.client))
    for (const write of all) this.#noteWrite(write)
  }

  /** Stores a value where the key has none, and answers whether it did. */
  async add(key: string, value: unknown, options: SetOptions = {}): Promise<boolean> {
    const write = toWrite(key, value, options, this.#options)
    if (!this.#open) await this.#ready()
    const version = await trace.add.run(this.#context, () => this.#store.add(write, options.client))
    if (version !== undefined) this.#noteWrite(write)
    return version !== undefined
  }

  /** Stores a value where the key has one already, and answers whether it did. */
  async replace(key: string, value: unknown, options: SetOptions = {}): Promise<boolean> {
    const write = toWrite(key, value, options, this.#options)
    if (!this.#open) await this.#ready()
    const version = await trace.replace.run(this.#context, () =>
      this.#store.replace(write, options.client),
    )
    if (version !== undefined) this.#noteWrite(write)
    return version !== undefined
  }

  /**
   * Stores a value if the entry still has the version that {@link Cache.entry} told, or, with `undefined`, if the key has no value. Of
   * many who try with the same version one succeeds.
   *
   * @returns the new version, or `undefined` where something else came first
   */
  async compareAndSet(
    key: string,
    version: string | undefined,
    value: unknown,
    options: SetOptions = {},
  ): Promise<string | undefined> {
    if (version !== undefined && !/^\d{1,18}$/.test(version)) {
      throw cacheError('CACHE_INVALID_OPTION', 'version must be one that entry() answered.')
    }
    const write = toWrite(key, value, options, this.#options)
    if (!this.#open) await this.#ready()
    const swapped = await trace.compareAndSet.run(this.#context, () =>
      version === undefined
        ? this.#store.add(write, options.client)
        : this.#store.swap({ ...write, expected: version }, options.client),
    )
    if (swapped !== undefined) this.#noteWrite(write)
    return swapped
  }

  /** Forgets a key. Answers whether it held a live value. */
  async delete(key: string, options: WriteOptions = {}): Promise<boolean> {
    return (await this.deleteMany([key], options)) === 1
  }

  /** Forgets several keys and answers how many of them held a live value. */
  async deleteMany(keys: Iterable<string>, { client }: WriteOptions = {}): Promise<number> {
    const stored = [...new Set([...keys].map(storedKey))]
    if (stored.length === 0) return 0
    if (!this.#open) await this.#ready()
    const held = await trace.delete.run(this.#context, () => this.#store.remove(stored, client))
    return held.filter(Boolean).length
  }

  /**
   * Gives a live entry another time to live, counted from now, and answers whether there was one.
   *
   * @param ttl - `null` for ever; the cache's `ttl` when left out
   */
  async touch(
    key: string,
    ttl?: Duration | null | undefined,
    { client }: WriteOptions = {},
  ): Promise<boolean> {
    const stored = storedKey(key)
    const ms = lifetime(ttl, this.#options)
    if (!this.#open) await this.#ready()
    return trace.touch.run(this.#context, () => this.#store.touch(stored, ms, client))
  }

  /**
   * Adds to a counter and answers its new value; one that is not there starts at zero. Additions to one counter that wait at the
   * same time share a statement, and none is lost.
   *
   * @throws {@link HowdahError} CACHE_INVALID_COUNTER when the value is no integer, or the sum would be no safe one; nothing is changed
   */
  async increment(key: string, by = 1, { ttl, client }: IncrementOptions = {}): Promise<number> {
    if (!Number.isSafeInteger(by)) {
      throw cacheError('CACHE_INVALID_COUNTER', 'A counter is changed by a safe integer.')
    }
    const stored = storedKey(key)
    const ms = lifetime(ttl, this.#options)
    if (!this.#open) await this.#ready()
    const counter = { key: stored, by, ttl: ms, original: originalOf(key, stored) ?? null }
    const count = await trace.increment.run(this.#context, () => this.#store.count(counter, client))
    if (count === undefined) {
      throw cacheError(
        'CACHE_INVALID_COUNTER',
        'This key holds something other than an integer, or the sum would be too large to be exact. Delete it to start anew.',
      )
    }
    this.#activity.wrote()
    this.#maintenance.wrote(stored.length)
    return count
  }

  /** Takes from a counter: {@link Cache.increment} with the opposite sign. */
  decrement(key: string, by = 1, options: IncrementOptions = {}): Promise<number> {
    return this.increment(key, -by, options)
  }

  /**
   * Answers the value of a key, or loads and stores it. Of all who ask, in every process, one runs the loader; in its process all share
   * its value or its error. A value that was written, removed or whose tag was invalidated meanwhile is not written over.
   * `null` and `undefined` are stored like other values.
   *
   * With `grace`, a value whose time is over is answered at once (or after `softTimeout`) while one caller loads a new one in the
   * background, and when the loader fails.
   *
   * @throws whatever `load` throws, to everyone who waited for it
   * @throws {@link HowdahError} CACHE_LOAD_TIMEOUT when it takes longer than `hardTimeout`
   */
  async getOrSet<T>(
    key: string,
    load: (key: string, context: LoadContext) => Promise<T> | T,
    options: GetOrSetOptions = {},
  ): Promise<T> {
    const plan = planLoad(key, load, options, this.#options)
    const cached = await this.#find(key, options)
    if (cached !== undefined) return this.#reader.decode(cached) as T
    const listener = this.#activity.ofLoad(key, options.grace !== undefined)
    const value = await trace.getOrSet.run(this.#context, () => this.#loads.get(plan, listener))
    this.#maintenance.wrote(0)
    return value as T
  }

  /**
   * Forgets every entry of this namespace that carries one of the tags, whoever wrote it. It takes as long as there are tags; every
   * process sees it at once.
   *
   * @throws {@link HowdahError} CACHE_INVALID_TAG
   */
  async invalidateTags(tags: readonly string[], { client }: WriteOptions = {}): Promise<void> {
    const checked = checkTags(tags)
    if (checked.length === 0) return
    if (!this.#open) await this.#ready()
    const statement = invalidateTags(this.#db.schema, this.#options.namespace, checked)
    await trace.invalidateTags.run(this.#context, () =>
      this.#store.change(null, client, () => this.#db.query(statement, client)),
    )
  }

  /** Forgets every entry of this namespace, at once however many there are. Namespaces below it keep theirs. */
  async clear({ client }: WriteOptions = {}): Promise<void> {
    if (!this.#open) await this.#ready()
    const statement = clearNamespace(this.#db.schema, this.#options.namespace)
    await trace.clear.run(this.#context, () =>
      this.#store.change(null, client, () => this.#db.query(statement, client)),
    )
    this.#maintenance.wrote(0)
  }

  /**
   * Answers a query whose rows are kept in a materialised view, refreshed by age, after changes or on demand, once for all processes.
   * The view belongs to this namespace and name, not to its entries: `clear()` leaves it. It is closed with the cache.
   *
   * @throws {@link HowdahError} as the constructor of {@link MaterializedQuery}
   */
  materialized<Row = Record<string, unknown>>(
    name: string,
    sql: string,
    options: MaterializedOptions,
  ): MaterializedQuery<Row> {
    const query = new MaterializedQuery<Row>(this.#db, `${this.name}:${name}`, sql, options)
    this.#materialized.add(query)
    return query
  }

  /** Iterates the keys of the live entries, in no order that means anything. Entries that come or go meanwhile may be missed. */
  async *keys(): AsyncGenerator<string, void, void> {
    if (!this.#open) await this.#ready()
    for await (const [key] of list(this.#db, this.#options, false)) yield key
  }

  /** Iterates the live entries as keys and values, as {@link Cache.keys} does. */
  async *entries<T = unknown>(): AsyncGenerator<[key: string, value: T], void, void> {
    if (!this.#open) await this.#ready()
    for await (const [key, stored] of list(this.#db, this.#options, true)) {
      yield [key, decodeValue(stored, this.#options.codec) as T]
    }
  }

  /** Tells what this cache has done in this process, and what its namespace holds. */
  async stats(): Promise<CacheStats> {
    if (!this.#open) await this.#ready()
    const { logged, namespace } = this.#options
    const [usage] = await this.#db.query(readUsage(this.#db.schema, logged, namespace))
    const { entries = 0, bytes = 0, share = 1 } = usage ?? {}
    return {
      ...this.#activity.counters,
      entries: Math.round(entries),
      bytes: Math.round(bytes),
      estimated: share < 1,
      near: this.#near?.stats(),
    }
  }

  /** What `metrics()` reads. */
  get metricReader(): MetricReader {
    return cacheReader(this.name, () => this.stats())
  }

  /** Waits for what was called, aborts loaders, and stops what goes on in the background. Entries stay; the pool stays open. */
  async close(): Promise<void> {
    this.#closed = true
    this.#open = false
    await this.#loads.close()
    const queries = [...this.#materialized].map((query) => query.close())
    await Promise.all([this.#maintenance.close(), this.#reader.close(), ...queries])
  }

  /** Closes at the end of an `await using` block. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** Answers from memory, where that is there and may answer. */
  #recall(key: string, { client, consistency }: GetOptions): Found | undefined {
    if (this.#near === undefined || client !== undefined) return undefined
    if (isStrong(consistency, this.#options.strong)) return undefined
    const found = this.#reader.recall(key)
    if (found === undefined) return undefined
    this.#activity.read(key, true, true)
    this.#maintenance.read(found.key)
    if (trace.get.active) void trace.get.run(this.#context, async () => {})
    return found
  }

  async #find(key: string, options: GetOptions): Promise<Found | undefined> {
    const recalled = this.#recall(key, options)
    if (recalled !== undefined) return recalled
    const found = await this.#read(key, options)
    this.#noteRead(key, found !== undefined)
    return found
  }

  #read(key: string, { client }: GetOptions): Promise<Found | undefined> {
    const stored = storedKey(key)
    if (!this.#open) return this.#ready().then(() => this.#read(key, { client }))
    if (!trace.get.active) return this.#reader.read(stored, client)
    return trace.get.run(this.#context, () => this.#reader.read(stored, client))
  }

  async #readMany(keys: readonly string[], { client }: GetOptions) {
    const stored = keys.map(storedKey)
    if (!this.#open) await this.#ready()
    const found = await trace.get.run(this.#context, () => this.#reader.readMany(stored, client))
    for (const [at, key] of keys.entries()) this.#noteRead(key, found[at] !== undefined)
    return found
  }

  #noteRead(key: string, hit: boolean): void {
    this.#activity.read(key, hit, false)
    if (hit && this.#maintenance.limited) this.#maintenance.read(storedKey(key))
  }

  #noteWrite(write: Write): void {
    this.#activity.wrote()
    this.#maintenance.wrote(write.bytes)
  }

  /** Only the first calls wait here: the others must reach the coalescer in the order they were made. */
  async #ready(): Promise<void> {
    if (this.#closed) throw cacheError('CACHE_CLOSED', 'This cache is closed. Make a new one.')
    this.#opening ??= open(this.#db, this.#options).then(
      () => {
        this.#open = !this.#closed
      },
      (error) => {
        this.#opening = undefined
        throw error
      },
    )
    await this.#opening
  }
}
