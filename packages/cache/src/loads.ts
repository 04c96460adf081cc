/**
 * Loading what is missing, once.
 *
 * States of a load: asking -> (value | leased | waiting); waiting -> asking again; leased -> loading -> stored, or outdated, or failed.
 *
 * Invariants
 * - One load of a key runs in this process at a time. Across processes one holds the lease of the key; while it does, the others wait
 *   for the value, or answer an old one that is within its grace.
 * - A value is stored only while the lease still holds. Whatever writes or removes the entry meanwhile, or invalidates one of its tags,
 *   ends the lease: what was loaded then reaches those who waited for it, and nobody else.
 * - What the loader throws reaches those who wait for this load. Processes that wait for its lease load anew.
 */
import { Backoff, type Duration, isHowdahError } from '@howdah/core'
import { type EntryStore, LEASE_MS } from './entry-store.js'
import { cacheError } from './errors.js'
import type { LeaseRow } from './sql/lease-entries.js'
import type { Write } from './write.js'

/** What a loader is told, and may decide. */
export interface LoadContext {
  /** Aborts when the load has taken longer than `hardTimeout`, or the cache is closed. */
  readonly signal: AbortSignal
  /** The value is answered, but not stored, once this was called. */
  skip(): void
  /** Overrides the `ttl` of the options, where it depends on what was loaded. */
  ttl: Duration | null | undefined
  /** Tags of the value; begins with those of the options. */
  tags: string[]
}

/** One load as {@link Loads} runs it. */
export interface LoadPlan {
  readonly stored: string
  readonly softTimeout: number
  readonly hardTimeout: number | undefined
  /** Loads the value and says how it is to be written; no write where it is not to be stored. */
  run(signal: AbortSignal): Promise<{ readonly value: unknown; readonly write: Write | undefined }>
  decode(stored: string): unknown
}

/** What {@link Loads} tells of. */
export interface LoadListener {
  onLoad(): void
  onLoadError(error: unknown): void
  onFill(stored: boolean): void
  onStale(): void
  onError(error: unknown): void
}

interface Flight {
  /** Settles when it is known whether there is an old value. */
  readonly asked: Promise<string | undefined>
  readonly value: Promise<unknown>
}

/** The loads under way in this process. */
export class Loads {
  readonly #store: EntryStore
  readonly #flights = new Map<string, Flight>()
  readonly #closing = new AbortController()

  constructor(store: EntryStore) {
    this.#store = store
  }

  /** Answers the value, loading it unless it is there by now, or an old value where that is allowed. */
  async get(plan: LoadPlan, listener: LoadListener): Promise<unknown> {
    const flight = this.#flights.get(plan.stored) ?? this.#start(plan, listener)
    const old = await flight.asked
    if (old === undefined) return within(flight.value, plan.hardTimeout)
    const stale = Symbol('stale')
    const soon = plan.softTimeout === 0 ? stale : await race(flight.value, plan.softTimeout, stale)
    if (soon !== stale) return soon
    listener.onStale()
    return plan.decode(old)
  }

  /** Aborts the loads under way and waits for them. */
  async close(): Promise<void> {
    this.#closing.abort(closed())
    await Promise.allSettled([...this.#flights.values()].map((flight) => flight.value))
  }

  #start(plan: LoadPlan, listener: LoadListener): Flight {
    let tell: (old: string | undefined) => void = () => {}
    const asked = new Promise<string | undefined>((resolve) => {
      tell = resolve
    })
    const value = this.#run(plan, listener, tell).finally(() => {
      this.#flights.delete(plan.stored)
      tell(undefined)
    })
    // Where everyone was answered an old value, nobody waits; the listener has been told.
    value.catch(() => {})
    const flight = { asked, value }
    this.#flights.set(plan.stored, flight)
    return flight
  }

  async #run(
    plan: LoadPlan,
    listener: LoadListener,
    tell: (old: string | undefined) => void,
  ): Promise<unknown> {
    const backoff = new Backoff({ initial: 10, max: 100 })
    for (;;) {
      this.#closing.signal.throwIfAborted()
      const row = await this.#store.lease(plan.stored)
      if (row.state === 'value') return plan.decode(row.value as string)
      if (row.state === 'lease') {
        tell(row.value ?? undefined)
        return this.#load(plan, row, listener)
      }
      // Someone else loads it, or a transaction writes it.
      if (row.value !== null) {
        tell(row.value)
        return plan.decode(row.value)
      }
      await pause(backoff.next(), this.#closing.signal)
    }
  }

  async #load(plan: LoadPlan, row: LeaseRow, listener: LoadListener): Promise<unknown> {
    const lease = { key: plan.stored, token: row.token as string }
    const keeper = setInterval(() => this.#store.renew(lease).catch(listener.onError), LEASE_MS / 3)
    keeper.unref()
    listener.onLoad()
    try {
      const { value, write } = await this.#runLoader(plan)
      if (write === undefined) await this.#giveUp(lease, listener)
      else await this.#fill({ ...write, ...lease, snapshot: row.snapshot }, listener)
      return value
    } catch (error) {
      listener.onLoadError(error)
      await this.#giveUp(lease, listener)
      throw error
    } finally {
      clearInterval(keeper)
    }
  }

  async #runLoader(plan: LoadPlan) {
    const timeout = new AbortController()
    const signal = AbortSignal.any([timeout.signal, this.#closing.signal])
    const timer =
      plan.hardTimeout === undefined
        ? undefined
        : setTimeout(() => timeout.abort(loadTimeout(plan.hardTimeout)), plan.hardTimeout)
    try {
      return await untilAborted(plan.run(signal), signal)
    } finally {
      clearTimeout(timer)
    }
  }

  /** A value that was loaded is answered also where it cannot be stored. */
  async #fill(fill: Parameters<EntryStore['fill']>[0], listener: LoadListener): Promise<void> {
    try {
      listener.onFill(await this.#store.fill(fill))
    } catch (error) {
      listener.onError(error)
    }
  }

  async #giveUp(
    lease: { readonly key: string; readonly token: string },
    listener: LoadListener,
  ): Promise<void> {
    await this.#store.release(lease).catch(listener.onError)
  }
}

function loadTimeout(ms: number | undefined) {
  return cacheError(
    'CACHE_LOAD_TIMEOUT',
    `The loader did not answer within ${ms} ms. Make it faster, give it a longer hardTimeout, or a grace, so that an old value can be served.`,
  )
}

function closed() {
  return cacheError('CACHE_CLOSED', 'This cache is closed. Make a new one.')
}

/** The promise, or an error once the time is over. */
async function within<T>(promise: Promise<T>, ms: number | undefined): Promise<T> {
  if (ms === undefined) return promise
  const late = Symbol('late')
  let timer: NodeJS.Timeout | undefined
  const end = new Promise<typeof late>((resolve) => {
    timer = setTimeout(() => resolve(late), ms)
  })
  try {
    const first = await Promise.race([promise, end])
    if (first === late) throw loadTimeout(ms)
    return first as T
  } finally {
    clearTimeout(timer)
  }
}

/** The promise's value, or `otherwise` when it fails or takes longer. */
async function race<T>(promise: Promise<T>, ms: number, otherwise: symbol): Promise<T | symbol> {
  try {
    return await within(promise, ms)
  } catch (error) {
    if (isHowdahError(error, 'CACHE_CLOSED')) throw error
    return otherwise
  }
}

/** The promise, unless the signal aborts first. */
function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason as Error)
    if (signal.aborted) abort()
    signal.addEventListener('abort', abort, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return untilAborted(new Promise((resolve) => setTimeout(resolve, ms)), signal)
}
