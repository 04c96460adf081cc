import type { Database } from '../database.js'
import type { Driver } from '../drivers/driver.js'
import type { PoolQueries } from './pool-queries.js'

/** A way in which notifications come to this process. */
export interface Transport {
  readonly kind: 'listening' | 'polling'
  /** Resolves with the reason once no more notifications will come; never rejects. */
  readonly ended: Promise<unknown>
  /** Milliseconds since the epoch when the server last answered. */
  readonly lastAliveAt: number
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
  /** Aborted when the hub needs the transport no longer; ends an opening under way. */
  readonly signal: AbortSignal
  /** Takes each notification, in order. */
  readonly onNotification: (notification: string) => void
  /** Called when notifications may have been lost although the transport goes on. */
  readonly onGap: () => void
  readonly onError: (error: unknown) => void
}
