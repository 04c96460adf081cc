/**
 * A key-value cache in the PostgreSQL your application already runs.
 *
 * @packageDocumentation
 */
export { Cache } from './cache.js'
export type { CacheErrorCode } from './errors.js'
export { migrations } from './migrations/index.js'
export type { CacheOptions, DeleteOptions, GetOrSetOptions, SetOptions } from './options.js'
