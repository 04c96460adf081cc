/**
 * What one cache has read, kept in the memory of this process and coherent with the database.
 *
 * States: shut <-> open. Open means: every transaction that changes the namespace tells us (see `near-registrar.ts`).
 *
 * Invariants
 * - An entry holds what a read saw that was sent after its fill began, and no message has since named its key: a fill under way
 *   when a message comes is not stored.
 * - A hit needs a proof no older than `maxStale`: a message of our own that came in, sent at that time (see `near-freshness.ts`).
 *   Messages come in the order of their commits, so by then every change acknowledged before it was sent has been heard of.
 * - So no hit misses a write that was acknowledged more than `maxStale` before the read began, however messages are lost.
 * - An entry is served until it expires by the clock of the database: the time left is counted from before the read was sent.
 */
import type { Database, TransactionHandle } from '@howdah/core'
import { type NearLink, nearLink } from './near-link.js'
import type { NearMember } from './near-member.js'
import type { ResolvedNearOptions } from './near-options.js'
import { type NearEntry, NearStore } from './near-store.js'

/** A read of the database that may be stored, from before it is sent until it is answered. */
export interface NearFill {
  readonly key: string
  /** When it began, by `performance.now()`. */
  readonly startedAt: number
  /** Everything is forgotten at the end of an epoch, what is being read included. */
  readonly epoch: number
  /** Whether its key has changed since. */
  dirty: boolean
  /** Reads that share it. */
  open: number
}

/** A value that was read. */
export interface NearRead<Encoded> {
  /** The value, where nobody can change it; else `undefined`. */
  readonly value: unknown
  /** What it is decoded from for each reader; `undefined` where `value` is it. */
  readonly encoded: Encoded | undefined
  /** Bytes that they take. */
  readonly bytes: number
  /** Milliseconds left when the database answered; null for ever. */
  readonly ttl: number | null
  /** Whether reads prolong the entry. */
  readonly sliding: boolean
}

/** What a near cache tells about itself. */
export interface NearStats {
  /** Whether it is being told of changes, and so takes entries in. */
  readonly open: boolean
  readonly entries: number
  /** Bytes held, counted as for `maxBytes`. */
  readonly bytes: number
  readonly hits: number
  readonly misses: number
  /** Entries removed for want of room. */
  readonly evictions: number
  /** How often everything was forgotten at once. */
  readonly flushes: number
}

/** What {@link Near} is made with. */
export interface NearInit extends ResolvedNearOptions {
  readonly namespace: string
  readonly logged: boolean
  /** Called with what fails in the background. */
  readonly onError: (error: unknown) => void
}

/** Bytes of an entry beside key and value. Measured with Node 20: 168 to 176, for the map, the entry and the strings' headers. */
const ENTRY_BYTES = 180
/** The part of its time that an entry of sliding expiry is served for, before a read prolongs it in the database. */
const SERVED_OF_SLIDING = 0.1

/** Keeps the values that one cache has read. */
export class Near<Encoded> implements NearMember {
  readonly namespace: string
  readonly logged: boolean
  readonly maxStale: number
  readonly #db: Database
  readonly #link: NearLink
  readonly #proof: { readonly sentAt: number }
  readonly #onError: (error: unknown) => void
  readonly #store: NearStore<Encoded>
  readonly #fills = new Map<string, NearFill>()
  #open = false
  #closed = false
  #epoch = 0
  #hits = 0
  #misses = 0
  #flushes = 0

  /** Does no I/O: everything begins with the first read. */
  constructor(db: Database, { namespace, logged, maxBytes, maxStale, onError }: NearInit) {
    this.namespace = namespace
    this.logged = logged
    this.maxStale = maxStale
    this.#db = db
    this.#link = nearLink(db)
    this.#proof = this.#link.proof
    this.#onError = onError
    this.#store = new NearStore(maxBytes)
  }

  get lookups(): number {
    return this.#hits + this.#misses
  }

  /** Answers the entry of a stored key, if it may be served now. */
  lookup(key: string): NearEntry<Encoded> | undefined {
    const entry = this.#store.get(key)
    if (entry !== undefined) {
      const now = performance.now()
      const { deadline } = entry
      if (now - this.#proof.sentAt <= this.maxStale && (deadline === undefined || now < deadline)) {
        if (!entry.visited) entry.visited = true
        this.#hits++
        return entry
      }
    }
    this.#misses++
    if (!this.#closed) this.#link.ask(this)
    return undefined
  }

  /** To be called before a read of the key is sent, and followed by {@link Near.store} or {@link Near.abandon}. */
  begin(key: string): NearFill | undefined {
    if (!this.#open) return undefined
    const shared = this.#fills.get(key)
    if (shared !== undefined) {
      shared.open++
      return shared
    }
    const startedAt = performance.now()
    const fill: NearFill = { key, startedAt, epoch: this.#epoch, dirty: false, open: 1 }
    this.#fills.set(key, fill)
    return fill
  }

  /** Keeps what was read, unless the key may have changed meanwhile. */
  store(fill: NearFill | undefined, read: NearRead<Encoded>): void {
    if (fill === undefined) return
    this.abandon(fill)
    if (!this.mayStore(fill)) return
    const { value, encoded, bytes, ttl, sliding } = read
    const served = ttl === null ? null : ttl * (sliding ? SERVED_OF_SLIDING : 1)
    this.#store.put({
      key: ownText(fill.key),
      value: typeof value === 'string' ? ownText(value) : value,
      encoded,
      deadline: served === null ? undefined : fill.startedAt + served,
      bytes: ENTRY_BYTES + textBytes(fill.key) + bytes,
    })
  }

  /** Ends a read that failed or found nothing. */
  abandon(fill: NearFill | undefined): void {
    if (fill === undefined || --fill.open > 0) return
    if (this.#fills.get(fill.key) === fill) this.#fills.delete(fill.key)
  }

  /** Tells whether nothing has changed since a fill began that its read may not have seen. */
  protected mayStore(fill: NearFill): boolean {
    return this.#open && !fill.dirty && fill.epoch === this.#epoch
  }

  /**
   * Runs a write of this process: its keys, or everything for `null`, are forgotten when it is made, and once more before it is
   * acknowledged. Of a transaction of another library we do not see the end; there the message of the write does it.
   */
  async change<T>(
    keys: readonly string[] | null,
    client: TransactionHandle | undefined,
    write: () => Promise<T>,
  ): Promise<T> {
    const forget = () => (keys === null ? this.flush() : this.forget(keys))
    forget()
    try {
      return await write()
    } finally {
      this.#db.afterCommit(client, forget)
    }
  }

  forget(keys: readonly string[]): void {
    for (const key of keys) {
      this.#store.delete(key)
      const fill = this.#fills.get(key)
      if (fill === undefined) continue
      fill.dirty = true
      this.#fills.delete(key)
    }
  }

  flush(): void {
    this.#epoch++
    this.#fills.clear()
    if (this.#store.size > 0) this.#flushes++
    this.#store.clear()
  }

  open(): void {
    this.flush()
    this.#open = true
  }

  shut(): void {
    this.#open = false
    this.flush()
  }

  report(error: unknown): void {
    this.#onError(error)
  }

  stats(): NearStats {
    return {
      open: this.#open,
      entries: this.#store.size,
      bytes: this.#store.bytes,
      hits: this.#hits,
      misses: this.#misses,
      evictions: this.#store.evictions,
      flushes: this.#flushes,
    }
  }

  /** Forgets everything and listens no more. */
  async close(): Promise<void> {
    this.#closed = true
    this.shut()
    await this.#link.leave(this)
  }
}

/** Bytes that a string takes in memory: one for each character, two where one of them needs it. */
export function textBytes(text: string): number {
  return isLatin1(text) ? text.length : 2 * text.length
}

/** A copy that lies in one piece. A string cut out of another keeps that alive, and is found by way of it. */
function ownText(text: string): string {
  const encoding = isLatin1(text) ? 'latin1' : 'utf16le'
  return Buffer.from(text, encoding).toString(encoding)
}

function isLatin1(text: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: Latin-1 begins with them.
  return !/[^\x00-\xff]/.test(text)
}
