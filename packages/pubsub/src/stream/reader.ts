/**
 * What one process knows of one stream: the last messages, shared by all who read there.
 *
 * Invariants
 * - The messages kept follow one another without a gap and belong to one epoch; `#next` is the offset after the last of them.
 * - A read that ends where nothing more is known of asks the database, unless the head is known to be there. Reads of one place at the same
 *   time are one statement, so that thousands of readers at the end cost what one does.
 * - Whoever takes `changed()` before a read that finds nothing misses no message: the promise resolves at every sign of a new one.
 */
import type { Database } from '@howdah/core'
import { pubSubError } from '../errors.js'
import { readStream } from '../sql/read-stream.js'
import type { Batch, StreamMessage } from './batch.js'
import { decodeRead, type Read } from './decode.js'
import { type Cursor, position } from './position.js'

const KEPT_MESSAGES = 2000
const KEPT_LENGTH = 8 * 1024 * 1024
const BATCH_BYTES = 1024 * 1024

/** Reads one stream for all of a process. */
export class StreamReader {
  readonly #db: Database
  readonly #stream: number
  readonly #name: string
  readonly #reads = new Map<string, Promise<Batch>>()
  #kept: StreamMessage[] = []
  #length = 0
  #epoch = 0
  #next = 0
  /** The highest offset heard of, and whether it is the head as far as anybody told. */
  #heard = 0
  #known = false
  #signals = 0
  #last: { readonly key: string; readonly batch: Batch } | undefined
  #changed: { readonly promise: Promise<void>; resolve(): void } | undefined

  constructor(db: Database, stream: number, name: string) {
    this.#db = db
    this.#stream = stream
    this.#name = name
  }

  /** Resolves at the next sign of a new message. */
  changed(): Promise<void> {
    if (this.#changed === undefined) {
      let resolve: () => void = () => {}
      const promise = new Promise<void>((done) => {
        resolve = done
      })
      this.#changed = { promise, resolve }
    }
    return this.#changed.promise
  }

  /** The stream's head is now at least this. */
  advanced(head: number): void {
    if (head <= this.#heard) return
    this.#heard = head
    this.#signal()
  }

  /** Nothing is known any more, not even that the server is still the same. */
  stale(): void {
    this.#known = false
    this.#heard = 0
    this.#kept = []
    this.#next = 0
    this.#epoch = 0
    this.#signal()
  }

  /** Reads what follows the cursor. The batch is shared. @throws what the database fails with */
  read(cursor: Cursor, limit: number): Promise<Batch> {
    const kept = this.#fromKept(cursor, limit)
    if (kept !== undefined) return Promise.resolve(kept)
    // One that began before the last sign may find less than that sign told of, and whoever takes part in it has no further sign to wait for.
    const key = `${this.#signals}:${cursor.epoch}:${cursor.offset}:${limit}`
    let read = this.#reads.get(key)
    if (read === undefined) {
      read = this.#fromDatabase(cursor, limit).finally(() => this.#reads.delete(key))
      this.#reads.set(key, read)
    }
    return read
  }

  #signal(): void {
    this.#signals++
    this.#changed?.resolve()
    this.#changed = undefined
  }

  #fromKept({ epoch, offset }: Cursor, limit: number): Batch | undefined {
    const first = this.#next - this.#kept.length
    if (epoch !== this.#epoch || offset === null || offset + 1 < first) return undefined
    const from = offset + 1 - first
    const atEnd = offset + 1 === this.#next && this.#known && this.#heard < this.#next
    if (from >= this.#kept.length && !atEnd) return undefined
    const key = `${epoch}:${offset}:${limit}`
    const head = Math.max(this.#next - 1, this.#heard)
    if (this.#last?.key === key && this.#last.batch.head === head) return this.#last.batch
    const messages = this.#kept.slice(from, from + limit)
    const batch: Batch = {
      messages,
      continuity: 'ok',
      validUntil: offset,
      lost: 0,
      next: position(epoch, offset + messages.length),
      head,
    }
    this.#last = { key, batch }
    return batch
  }

  async #fromDatabase({ epoch, offset }: Cursor, limit: number): Promise<Batch> {
    const signals = this.#signals
    const statement = readStream(this.#db.schema, this.#stream, epoch, offset, limit, BATCH_BYTES)
    const [row] = await this.#db.query(statement)
    if (row === undefined || row.epoch === null) {
      throw pubSubError('PUBSUB_NOT_FOUND', `The stream '${this.#name}' is gone: it was dropped.`)
    }
    const read = decodeRead({ ...row, epoch: row.epoch })
    // What was heard meanwhile may be news to this read, and what was kept may be of another server.
    if (signals !== this.#signals) return read
    const news = read.head > this.#heard
    this.#known = true
    this.#heard = read.head
    this.#keep(read)
    // Others wait for the sign of it, and when that comes it is not taken for one any more.
    if (news) this.#signal()
    return read
  }

  /** Keeps what was read if it continues what is kept, or reaches the end where nothing does. */
  #keep({ epoch, start, messages, size, head }: Read): void {
    if (epoch === this.#epoch && start < this.#next) {
      const fresh = messages.slice(this.#next - 1 - start)
      this.#kept.push(...fresh)
      this.#next += fresh.length
      this.#length += fresh.length === 0 ? 0 : size
    } else if (start + messages.length === head) {
      this.#kept = [...messages]
      this.#next = head + 1
      this.#epoch = epoch
      this.#length = size
    }
    this.#trim()
  }

  /** Halves what is kept: readers of older messages ask the database. */
  #trim(): void {
    if (this.#kept.length <= KEPT_MESSAGES && this.#length <= KEPT_LENGTH) return
    this.#kept = this.#kept.slice(this.#kept.length >> 1)
    this.#length /= 2
  }
}
