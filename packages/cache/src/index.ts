/**
 * A key-value cache in the PostgreSQL your application already runs.
 *
 * @packageDocumentation
 */
export { Cache, type CacheEntry } from './cache.js'
export type { CacheErrorCode } from './errors.js'
export type { CacheEvents, CacheStats } from './events.js'
export type { LoadContext } from './loads.js'
export { migrations } from './migrations/index.js'
export type {
  CacheOptions,
  GetOptions,
  GetOrSetOptions,
  IncrementOptions,
  SetOptions,
  WriteOptions,
} from './options.js'
export type { CacheCodec } from './value.js'
