/**
 * A namespace of cached values.
 *
 * Invariants
 * - An entry is seen until its TTL has passed by the database's clock, never by ours.
 * - Calls of one process on one key take effect in the order they were made (the coalescer keeps it).
 * - One loader runs per key and process. A `set` or `delete` made while it runs wins: what was loaded is handed to those who wait,
 *   and not stored.
 */
import { Database, Loop, type TransactionHandle, tracer } from '@howdah/core'
import { cacheError } from './errors.js'
import { storedKey } from './key.js'
import { migrations } from './migrations/index.js'
import {
  type CacheOptions,
  type DeleteOptions,
  type GetOrSetOptions,
  type ResolvedCacheOptions,
  resolveOptions,
  resolveTtl,
  type SetOptions,
} from './options.js'
import { deleteEntries } from './sql/delete-entries.js'
import { getEntries } from './sql/get-entries.js'
import { setEntries } from './sql/set-entries.js'
import { sweepExpired } from './sql/sweep-expired.js'
import { decodeValue, encodeValue } from './value.js'

/** A loader under way. It becomes stale when its key is written or deleted meanwhile. */
interface Load {
  stale: boolean
  value: Promise<unknown>
}

interface Write {
  readonly key: string
  readonly value: string
  readonly ttl: number | null
}

const SWEEP_EVERY = '1m'
const SWEEP_BATCH = 500

const getTracer = tracer('@howdah/cache:get')
const setTracer = tracer('@howdah/cache:set')
const deleteTracer = tracer('@howdah/cache:delete')

/**
 * A key-value cache in PostgreSQL. Values are JSON; entries live in an UNLOGGED table, so a crash of the server empties the cache
 * and loses nothing else. Concurrent calls of a process travel together in one statement.
 *
 * @example
 * ```ts
 * import { Cache } from '@howdah/cache'
 * import { Pool } from 'pg'
 *
 * const cache = new Cache({ pool: new Pool(), namespace: 'prices', ttl: '5m' })
 * await cache.set('tea', { cents: 320 })
 * const price = await cache.get<{ cents: number }>('tea')
 * ```
 */
export class Cache {
  readonly #db: Database
  readonly #options: ResolvedCacheOptions
  readonly #loads = new Map<string, Load>()
  readonly #sweeper: Loop
  readonly #read: (key: string) => Promise<string | undefined>
  readonly #write: (write: Write) => Promise<void>
  readonly #remove: (key: string) => Promise<boolean>
  #closed = false

  /**
   * Checks the options; does no I/O.
   *
   * @throws {@link HowdahError} CACHE_INVALID_OPTION, CORE_INVALID_DURATION, CORE_INVALID_SOURCE
   */
  constructor(options: CacheOptions) {
    this.#options = resolveOptions(options)
    this.#db = Database.from(options.pool)
    this.#sweeper = new Loop({ interval: SWEEP_EVERY, run: () => this.#sweep() })
    const order = (key: string) => `cache:${this.#options.namespace}:${key}`
    this.#read = this.#db.coalescer.operation({
      key: order,
      duplicates: 'share',
      run: (keys: readonly string[]) => this.#readMany(keys),
    })
    this.#write = this.#db.coalescer.operation({
      key: (write: Write) => order(write.key),
      bytes: (write) => write.value.length,
      duplicates: 'last',
      run: (writes) => this.#writeMany(writes),
    })
    this.#remove = this.#db.coalescer.operation({
      key: order,
      run: (keys: readonly string[]) => this.#removeMany(keys),
    })
  }

  /**
   * Answers the value of a key, or `undefined` where there is none or its time has passed. A cached `null` comes back as `null`.
   *
   * @throws {@link HowdahError} CACHE_INVALID_KEY, CACHE_CLOSED
   */
  async get<T = unknown>(key: string): Promise<T | undefined> {
    await this.#ready()
    const stored = storedKey(key)
    const text = await getTracer.run(
      () => ({ target: this.#options.namespace }),
      () => this.#read(stored),
    )
    return text === undefined ? undefined : (decodeValue(text) as T)
  }

  /**
   * Stores a value under a key, over what was there.
   *
   * @throws {@link HowdahError} CACHE_INVALID_KEY, CACHE_INVALID_VALUE, CACHE_VALUE_TOO_LARGE, CACHE_CLOSED; nothing is stored then
   */
  async set(key: string, value: unknown, { ttl, client }: SetOptions = {}): Promise<void> {
    const write: Write = {
      key: storedKey(key),
      value: encodeValue(value, this.#options.maxValueBytes),
      ttl: resolveTtl(ttl) ?? this.#options.ttl,
    }
    this.#outdate(write.key)
    await this.#ready()
    await setTracer.run(
      () => ({ target: this.#options.namespace }),
      () =>
        client === undefined ? this.#write(write) : this.#writeMany([write], client).then(() => {}),
    )
    if (write.ttl !== null) this.#sweeper.start()
  }

  /**
   * Forgets a key. Answers whether it held a live value.
   *
   * @throws {@link HowdahError} CACHE_INVALID_KEY, CACHE_CLOSED
   */
  async delete(key: string, { client }: DeleteOptions = {}): Promise<boolean> {
    const stored = storedKey(key)
    this.#outdate(stored)
    await this.#ready()
    return deleteTracer.run(
      () => ({ target: this.#options.namespace }),
      async () =>
        client === undefined
          ? this.#remove(stored)
          : (await this.#removeMany([stored], client))[0] === true,
    )
  }

  /**
   * Answers the value of a key, or loads and stores it. Of many concurrent calls in this process one runs the loader, and all of
   * them share its value or its error. A loader that answers `undefined` stores nothing; `null` is stored.
   *
   * @throws whatever `load` throws, to everyone who waited for it
   */
  async getOrSet<T>(
    key: string,
    load: (key: string) => Promise<T> | T,
    options: GetOrSetOptions = {},
  ): Promise<T> {
    const stored = storedKey(key)
    const ttl = resolveTtl(options.ttl) ?? this.#options.ttl
    const running = this.#loads.get(stored)
    if (running !== undefined) return running.value as Promise<T>
    const started: Load = { stale: false, value: Promise.resolve() }
    this.#loads.set(stored, started)
    const value = this.#load(key, load, ttl, started).finally(() => {
      if (this.#loads.get(stored) === started) this.#loads.delete(stored)
    })
    started.value = value
    return value
  }

  /** Stops the background sweep. Entries stay; the pool stays open. */
  async close(): Promise<void> {
    this.#closed = true
    await this.#sweeper.stop()
  }

  /** Closes at the end of an `await using` block. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #load<T>(
    key: string,
    load: (key: string) => Promise<T> | T,
    ttl: number | null,
    started: Load,
  ): Promise<T> {
    const cached = await this.get<T>(key)
    if (cached !== undefined) return cached
    const value = await load(key)
    if (value === undefined) return value
    const text = encodeValue(value, this.#options.maxValueBytes)
    if (!started.stale) await this.#write({ key: storedKey(key), value: text, ttl })
    if (ttl !== null) this.#sweeper.start()
    return value
  }

  #outdate(stored: string): void {
    const load = this.#loads.get(stored)
    if (load === undefined) return
    load.stale = true
    this.#loads.delete(stored)
  }

  async #readMany(keys: readonly string[]): Promise<(string | undefined)[]> {
    const rows = await this.#db.query(getEntries(this.#db.schema, this.#options.namespace, keys))
    const values = new Map(rows.map((row) => [row.key, row.value]))
    return keys.map((key) => values.get(key))
  }

  async #writeMany(writes: readonly Write[], client?: TransactionHandle): Promise<undefined[]> {
    const statement = setEntries(
      this.#db.schema,
      this.#options.namespace,
      writes.map((write) => write.key),
      writes.map((write) => write.value),
      writes.map((write) => write.ttl),
    )
    await this.#db.query(statement, client)
    return new Array(writes.length).fill(undefined)
  }

  async #removeMany(keys: readonly string[], client?: TransactionHandle): Promise<boolean[]> {
    const statement = deleteEntries(this.#db.schema, this.#options.namespace, keys)
    const rows = await this.#db.query(statement, client)
    const live = new Set(rows.filter((row) => row.live).map((row) => row.key))
    return keys.map((key) => live.has(key))
  }

  async #sweep(): Promise<0 | undefined> {
    const [row] = await this.#db.query(sweepExpired(this.#db.schema, SWEEP_BATCH))
    return row?.swept === SWEEP_BATCH ? 0 : undefined
  }

  async #ready(): Promise<void> {
    if (this.#closed) throw cacheError('CACHE_CLOSED', 'This cache is closed. Make a new one.')
    await this.#db.migrator.ensure(migrations)
  }
}
