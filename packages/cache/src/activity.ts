import { Emitter } from '@howdah/core'
import type { CacheEvents } from './events.js'
import type { LoadListener } from './loads.js'

/** What a cache has done in this process, counted and told to those who listen. */
export class Activity {
  readonly events: Emitter<CacheEvents> = new Emitter<CacheEvents>()
  readonly counters: Counters = new Counters()

  /** A read found a value or none; `near` where it asked memory. Hot, so listeners are looked for first. */
  read(key: string, hit: boolean, near: boolean): void {
    const { counters, events } = this
    if (!hit) {
      counters.misses++
      if (events.listenerCount('miss') > 0) events.emit('miss', key)
      return
    }
    counters.hits++
    if (near) counters.nearHits++
    if (events.listenerCount('hit') > 0) events.emit('hit', key, near)
  }

  wrote(): void {
    this.counters.writes++
  }

  evicted(count: number): void {
    this.counters.evictions += count
    this.events.emit('evict', count)
  }

  /** Something failed in the background. */
  failed(error: unknown): void {
    this.events.emit('error', error)
  }

  /** Follows one load. Errors of a loader reach its callers; where they may have been answered an old value, they are told as well. */
  ofLoad(key: string, mayBeStale: boolean): LoadListener {
    const { counters, events } = this
    return {
      onLoad: () => counters.loads++,
      onLoadError: (error) => {
        counters.loadErrors++
        if (mayBeStale) this.failed(error)
      },
      onFill: (stored) => {
        if (stored) counters.fills++
        events.emit('fill', key, stored)
      },
      onStale: () => {
        counters.staleHits++
        events.emit('stale', key)
      },
      onError: (error) => this.failed(error),
    }
  }
}

/** Counters behind {@link CacheStats}. */
class Counters {
  hits = 0
  misses = 0
  nearHits = 0
  staleHits = 0
  loads = 0
  loadErrors = 0
  fills = 0
  writes = 0
  evictions = 0
}
