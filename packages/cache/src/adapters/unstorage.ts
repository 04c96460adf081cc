/**
 * A driver for unstorage, and so for the storage of Nitro and Nuxt.
 *
 * @packageDocumentation
 */
import { Cache } from '../cache.js'
import type { CacheOptions, SetOptions } from '../options.js'
import { lifetime } from './lifetime.js'
import { deletePrefix, keysWithPrefix } from './prefixed.js'

/** Options of {@link howdahDriver}, the same as of `Cache`. Their `ttl` is a Duration; the `ttl` of a single item is in seconds. */
export interface HowdahDriverOptions extends CacheOptions {
  /** Keeps what is stored apart from other caches of the database. @defaultValue `'unstorage'` */
  readonly namespace?: string | undefined
}

/** What one call may say. unstorage passes on whatever else it was given. */
export interface HowdahItemOptions {
  /** Seconds. @defaultValue the driver's `ttl` */
  readonly ttl?: number | undefined
}

/** The driver of {@link howdahDriver}, in the shape unstorage has for it. */
export interface HowdahDriver {
  readonly name: string
  readonly options: HowdahDriverOptions
  readonly flags: { readonly ttl: boolean }
  /** The cache itself. */
  getInstance(): Cache
  hasItem(key: string): Promise<boolean>
  getItem(key: string): Promise<string | null>
  getItems(items: { key: string }[]): Promise<{ key: string; value: string | null }[]>
  /** Answers bytes as a `Buffer`, and everything else as it was stored. */
  getItemRaw(key: string): Promise<unknown>
  setItem(key: string, value: string, options?: HowdahItemOptions): Promise<void>
  setItems(
    items: { key: string; value: string; options?: HowdahItemOptions }[],
    options?: HowdahItemOptions,
  ): Promise<void>
  setItemRaw(key: string, value: unknown, options?: HowdahItemOptions): Promise<void>
  removeItem(key: string): Promise<void>
  /** Answers the seconds that are left, for an entry with an end. */
  getMeta(key: string): Promise<{ ttl?: number } | null>
  getKeys(base?: string): Promise<string[]>
  /** Forgets everything in one small write; below a `base`, by reading every key. */
  clear(base?: string): Promise<void>
  /** Stops the background work. The pool stays open. */
  dispose(): Promise<void>
}

/**
 * Makes a driver for unstorage. Needs nothing of unstorage at run time.
 *
 * @throws {@link HowdahError} CACHE_INVALID_OPTION, CORE_INVALID_DURATION, CORE_INVALID_SOURCE
 *
 * @example
 * ```ts
 * import { howdahDriver } from '@howdah/cache/unstorage'
 * import { Pool } from 'pg'
 * import { createStorage } from 'unstorage'
 *
 * const storage = createStorage({ driver: howdahDriver({ pool: new Pool() }) })
 * await storage.setItem('users:7', { name: 'Ada' }, { ttl: 60 })
 * const user = await storage.getItem<{ name: string }>('users:7')
 * ```
 */
export function howdahDriver(options: HowdahDriverOptions): HowdahDriver {
  const cache = new Cache({ ...options, namespace: options.namespace ?? 'unstorage' })
  const set = async (key: string, value: unknown, item?: HowdahItemOptions) => {
    const own = setOptions(item)
    if (own.ttl === 0) await cache.delete(key)
    else await cache.set(key, value, own)
  }
  // unstorage calls these without their object.
  return {
    name: 'howdah',
    options,
    flags: { ttl: true },
    getInstance: () => cache,
    hasItem: (key) => cache.has(key),
    getItem: async (key) => (await cache.get<string>(key)) ?? null,
    async getItems(items) {
      const found = await cache.getMany<string>(items.map((item) => item.key))
      return items.map(({ key }) => ({ key, value: found.get(key) ?? null }))
    },
    getItemRaw: async (key) => (await cache.get(key)) ?? null,
    setItem: set,
    async setItems(items, common) {
      await Promise.all(
        items.map(({ key, value, options: own }) => set(key, value, { ...common, ...own })),
      )
    },
    setItemRaw: (key, value, item) => set(key, bytes(value), item),
    removeItem: async (key) => void (await cache.delete(key)),
    async getMeta(key) {
      const left = await cache.ttl(key)
      if (left === undefined) return null
      return left === null ? {} : { ttl: left / 1000 }
    },
    getKeys: (base = '') => keysWithPrefix(cache, base),
    clear: (base) => (base ? deletePrefix(cache, base) : cache.clear()),
    dispose: () => cache.close(),
  }
}

function setOptions(item: HowdahItemOptions | undefined): SetOptions {
  const seconds = item?.ttl
  return { ttl: lifetime(typeof seconds === 'number' ? seconds * 1000 : undefined) }
}

/** Every view of bytes is stored as bytes: a cache takes Buffer and Uint8Array. */
function bytes(value: unknown): unknown {
  if (value instanceof ArrayBuffer) return new Uint8Array(value)
  if (!ArrayBuffer.isView(value) || value instanceof Uint8Array) return value
  return new Uint8Array(value.buffer, value.byteOffset, value.byteLength)
}
