/**
 * A second layer for BentoCache.
 *
 * @packageDocumentation
 */
import { Cache } from '../cache.js'
import type { CacheOptions } from '../options.js'
import { lifetime } from './lifetime.js'
import { deletePrefix } from './prefixed.js'

/**
 * Options of {@link howdahBentoDriver}: those of `Cache`, but for what BentoCache decides itself. It keeps the marks of deleted tags
 * as entries without end, so that a default for the time to live would bring deleted values back.
 */
export interface HowdahBentoDriverOptions
  extends Omit<CacheOptions, 'namespace' | 'ttl' | 'sliding' | 'jitter'> {
  /** The namespace of the cache. @defaultValue the prefix of BentoCache, which is `'bentocache'` unless it is told otherwise */
  readonly prefix?: string | undefined
}

/** What `useL2Layer()` of BentoCache takes. */
export interface HowdahBentoLayer {
  readonly options: HowdahBentoDriverOptions
  readonly factory: (config: HowdahBentoDriverOptions) => HowdahBentoDriver
}

/**
 * Makes the second layer of a BentoCache store: values in PostgreSQL, shared by all processes.
 *
 * @example
 * ```ts
 * import { howdahBentoDriver } from '@howdah/cache/bentocache'
 * import { BentoCache, bentostore } from 'bentocache'
 * import { memoryDriver } from 'bentocache/drivers/memory'
 * import { Pool } from 'pg'
 *
 * const pool = new Pool()
 * const bento = new BentoCache({
 *   default: 'main',
 *   stores: {
 *     main: bentostore()
 *       .useL1Layer(memoryDriver({ maxSize: '10mb' }))
 *       .useL2Layer(howdahBentoDriver({ pool })),
 *   },
 * })
 * const user = await bento.getOrSet({ key: 'user:7', ttl: '5m', factory: () => ({ name: 'Ada' }) })
 * ```
 */
export function howdahBentoDriver(options: HowdahBentoDriverOptions): HowdahBentoLayer {
  return { options, factory: (config) => new HowdahBentoDriver(newCache(config)) }
}

/**
 * The driver itself, which BentoCache makes through {@link howdahBentoDriver}.
 *
 * A prefix is a namespace of the cache, and clearing it takes one small write however much it holds. The namespaces of BentoCache are
 * beginnings of keys in it; clearing one of those reads every key of the prefix. Needs nothing of BentoCache at run time.
 */
export class HowdahBentoDriver {
  /** Tells BentoCache which layer this is. */
  readonly type = 'l2' as const
  readonly #cache: Cache
  readonly #path: string

  /** @internal */
  constructor(cache: Cache, path = '') {
    this.#cache = cache
    this.#path = path
  }

  /** Returns the same cache, seen from within a namespace: its key `k` is our key `name:k`. */
  namespace(name: string): HowdahBentoDriver {
    return new HowdahBentoDriver(this.#cache, `${this.#path}${name}:`)
  }

  /** Answers what is stored, or `undefined`. */
  get(key: string): Promise<string | undefined> {
    return this.#cache.get<string>(this.#path + key)
  }

  /** Answers what is stored and forgets it. Of several concurrent calls one gets it. */
  async pull(key: string): Promise<string | undefined> {
    const value = await this.get(key)
    return value !== undefined && (await this.delete(key)) ? value : undefined
  }

  /** Stores a value for `ttl` milliseconds, or without end; answers `true`. */
  async set(key: string, value: string, ttl?: number): Promise<boolean> {
    const left = lifetime(ttl)
    if (left === 0) await this.delete(key)
    else await this.#cache.set(this.#path + key, value, { ttl: left })
    return true
  }

  /** Forgets everything in this namespace and those below it. */
  clear(): Promise<void> {
    return this.#path === '' ? this.#cache.clear() : deletePrefix(this.#cache, this.#path)
  }

  /** Forgets a key. Answers whether it held something. */
  delete(key: string): Promise<boolean> {
    return this.#cache.delete(this.#path + key)
  }

  /** Forgets keys; answers `true`, whatever they held. */
  async deleteMany(keys: string[]): Promise<boolean> {
    if (keys.length > 0) await this.#cache.deleteMany(keys.map((key) => this.#path + key))
    return true
  }

  /** Stops the background work, of all namespaces. The pool stays open. */
  disconnect(): Promise<void> {
    return this.#cache.close()
  }
}

function newCache({ prefix, ...options }: HowdahBentoDriverOptions): Cache {
  // BentoCache treats `users` and `users:` as one prefix.
  return new Cache({ ...options, namespace: prefix?.replace(/:+$/, '') || 'bentocache' })
}
