/**
 * A key-value cache in the PostgreSQL your application already runs.
 *
 * @packageDocumentation
 */
export { Cache } from './cache.js'
export type { CacheEntry } from './cache-entry.js'
export type { CacheErrorCode } from './errors.js'
export type { CacheEvents, CacheStats } from './events.js'
export { hotStatements } from './hot-statements.js'
export type { LoadContext } from './loads.js'
export {
  type MaterializedEvents,
  MaterializedQuery,
} from './materialized/materialized-query.js'
export type { MaterializedOptions, MaterializedTable } from './materialized/options.js'
export type { MaterializedFailure, MaterializedStatus } from './materialized/status.js'
export { migrations } from './migrations/index.js'
export type { NearStats } from './near/near.js'
export type { NearOptions } from './near/near-options.js'
export type {
  CacheOptions,
  Consistency,
  GetOptions,
  GetOrSetOptions,
  IncrementOptions,
  SetOptions,
  WriteOptions,
} from './options.js'
export type { CacheCodec } from './value.js'
