import { sessionError } from '../errors.js'
import { anySource } from './any-source.js'
import type { CallbackStore } from './callback-store.js'
import { isPgSimple, pgSimpleSource } from './pg-simple-source.js'
import { isConnectRedis, redisSource } from './redis-source.js'

/** A live session of a store that is read as a whole. */
export interface SourceSession {
  readonly id: string
  /** What the session holds; `undefined` where it cannot be read. */
  readonly data: unknown
  /** Milliseconds it has left; `undefined` where the store does not say. */
  readonly ttl: number | undefined
}

/** A store whose sessions can be listed. */
export interface SessionSource {
  /** Answers the live sessions, so many at a time. Where the store is written to meanwhile, one may come twice. */
  batches(size: number): AsyncGenerator<readonly SourceSession[]>
  /** Answers which of these are live now. */
  live(ids: readonly string[]): Promise<ReadonlySet<string>>
}

/** @throws {@link HowdahError} SESSION_INVALID_OPTION when the store does not tell the ids of its sessions */
export function sourceOf(store: CallbackStore): SessionSource {
  if (isConnectRedis(store)) return redisSource(store)
  if (isPgSimple(store)) return pgSimpleSource(store)
  const source = anySource(store)
  if (source !== undefined) return source
  throw sessionError(
    'SESSION_INVALID_OPTION',
    'This store cannot tell the ids of its sessions. It needs ids() and get(), or all() that answers an object by id, or to be one of connect-redis or connect-pg-simple.',
  )
}
