/**
 * What goes on in the background of a cache: removing what has expired, keeping to the limits, and noting what was read.
 *
 * Everything is one small statement at a time in a supervised loop, started by the first write and stopped by close(). Many
 * processes may do it at once: sweeping passes over what another sweeps, and one process at a time evicts.
 */
import { type Database, Loop } from '@howdah/core'
import type { EntryStore } from './entry-store.js'
import type { ResolvedCacheOptions } from './options.js'
import { evictEntries, sweepEntries } from './sql/maintain.js'

const SWEEP_EVERY = '1m'
const SWEEP_BATCH = 500
/** How often a namespace with limits is looked at; writing a fiftieth of what it may hold makes it sooner. */
const EVICT_EVERY = '5s'
const WAKING_SHARE = 50
/** How long closing waits for a round that was aborted. */
const FAREWELL_MS = 3_000
/** Keys remembered as read between two looks; more are not worth their memory, for the sample is one too. */
const MAX_SEEN = 10_000

/** The background loops of one cache. */
export class Maintenance {
  readonly #db: Database
  readonly #store: EntryStore
  readonly #options: ResolvedCacheOptions
  readonly #onEvict: (count: number) => void
  readonly #sweeper: Loop
  readonly #evictor: Loop | undefined
  #seen = new Set<string>()
  #bytesWritten = 0
  #entriesWritten = 0

  constructor(
    db: Database,
    store: EntryStore,
    options: ResolvedCacheOptions,
    onEvict: (count: number) => void,
    onError: (error: unknown) => void,
  ) {
    this.#db = db
    this.#store = store
    this.#options = options
    this.#onEvict = onEvict
    this.#sweeper = new Loop({ interval: SWEEP_EVERY, run: () => this.#sweep(), onError })
    if (options.maxBytes === null && options.maxEntries === null) return
    this.#evictor = new Loop({
      interval: EVICT_EVERY,
      run: (signal) => this.#limit(signal),
      onError,
    })
  }

  /** Whether reads are to be noted. */
  get limited(): boolean {
    return this.#evictor !== undefined
  }

  /** Notes that a stored key was read. */
  read(key: string): void {
    if (this.#evictor === undefined) return
    if (this.#seen.size < MAX_SEEN) this.#seen.add(key)
    // Also in a process that only reads, for what it reads is to stay.
    if (!this.#evictor.running) this.#evictor.start()
  }

  /** Notes a write. */
  wrote(bytes: number): void {
    if (!this.#sweeper.running) this.#sweeper.start()
    if (this.#evictor === undefined) return
    this.#bytesWritten += bytes
    this.#entriesWritten++
    if (!this.#evictor.running) this.#evictor.start()
    else if (this.#wroteMuch()) this.#evictor.wake()
  }

  async close(): Promise<void> {
    // A pool that is ended while a round waits for a connection never answers it.
    const stopped = Promise.all([this.#sweeper.stop(), this.#evictor?.stop()])
    let timer: NodeJS.Timeout | undefined
    const given = new Promise((resolve) => {
      timer = setTimeout(resolve, FAREWELL_MS)
    })
    await Promise.race([stopped, given])
    clearTimeout(timer)
  }

  #wroteMuch(): boolean {
    const { maxBytes, maxEntries } = this.#options
    return (
      (maxBytes !== null && this.#bytesWritten > maxBytes / WAKING_SHARE) ||
      (maxEntries !== null && this.#entriesWritten > maxEntries / WAKING_SHARE)
    )
  }

  async #sweep(): Promise<0 | undefined> {
    const [row] = await this.#db.query(sweepEntries(this.#db.schema, SWEEP_BATCH))
    return (row?.swept ?? 0) >= SWEEP_BATCH ? 0 : undefined
  }

  async #limit(signal: AbortSignal): Promise<undefined> {
    this.#bytesWritten = 0
    this.#entriesWritten = 0
    await this.#noteSeen()
    const { namespace, logged, maxBytes, maxEntries } = this.#options
    const statement = evictEntries(this.#db.schema, logged, namespace, maxEntries, maxBytes)
    for (let evicted = 1; evicted > 0 && !signal.aborted; ) {
      const [row] = await this.#db.query(statement)
      evicted = row?.evicted ?? 0
      if (evicted > 0) this.#onEvict(evicted)
    }
  }

  async #noteSeen(): Promise<void> {
    if (this.#seen.size === 0) return
    const keys = [...this.#seen]
    this.#seen = new Set()
    for (let from = 0; from < keys.length; from += 1000) {
      await this.#store.see(keys.slice(from, from + 1000))
    }
  }
}
