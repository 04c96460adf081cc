import type { Database } from '../database.js'
import type { Driver } from '../drivers/driver.js'
import type { Locks } from './locks.js'
import type { PoolQueries } from './pool-queries.js'

/** A way in which notifications come to this process. */
export interface Transport {
  readonly kind: 'listening' | 'polling'
  /** Resolves with the reason once no more notifications will come; never rejects. */
  readonly ended: Promise<unknown>
  /** Milliseconds since the epoch when the server last answered. */
  readonly lastAliveAt: number
  /** Names the hub to others while it lives, as `hub_alive()` does; `undefined` while it has no such name. */
  readonly identity: string | undefined
  /** What can be locked on it; `undefined` where nothing can. */
  readonly locks: Locks | undefined
  /** Frees everything; ends in bounded time, whatever the network does. Never fails. */
  close(): Promise<void>
}

/** What a transport is opened with. */
export interface TransportContext {
  readonly db: Database
  readonly driver: Driver
  readonly pool: PoolQueries
  readonly channel: string
  readonly hubId: string
  /** Identity that the hub had on a listening connection before this one, which the server may still believe in. */
  readonly before: string | undefined
  /** Aborted when the hub needs the transport no longer; ends an opening under way. */
  readonly signal: AbortSignal
  /** Takes each notification, in order. */
  readonly onNotification: (notification: string) => void
  /** Called when notifications may have been lost although the transport goes on. */
  readonly onGap: () => void
  /** Called when the transport got its identity later than it was opened. */
  readonly onIdentity: () => void
  readonly onError: (error: unknown) => void
}
