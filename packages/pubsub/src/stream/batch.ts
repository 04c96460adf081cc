/** One message of a stream. It is shared between readers and must not be changed. */
export interface StreamMessage<T = unknown> {
  /** Its place among the messages of the stream, which count from 1 without a gap. */
  readonly offset: number
  /** Where to read on after it: its epoch and offset, `'1:42'`. */
  readonly position: string
  /** What it was appended under, for readers that keep the order of each key. */
  readonly key: string | undefined
  readonly payload: T
  readonly headers: Readonly<Record<string, string>> | undefined
  /** When it was appended, by the database's clock, in milliseconds since the epoch. */
  readonly at: number
}

/**
 * How a read continues what was read before.
 *
 * - `'ok'`: nothing is missing between `after` and the first message.
 * - `'truncated'`: messages after `after` are gone, for their time was over; what is left follows.
 * - `'reset'`: the server was replaced by one that never had the messages up to `after` (a backup, a standby that lagged). What was read
 *   beyond `validUntil` never happened; what did follows.
 */
export type Continuity = 'ok' | 'truncated' | 'reset'

/** What one read answers. */
export interface Batch<T = unknown> {
  readonly messages: readonly StreamMessage<T>[]
  readonly continuity: Continuity
  /** Offset up to which what was read before still holds: `after` itself, but after a reset. */
  readonly validUntil: number
  /** How many messages are gone for good; 0 but after `'truncated'`. */
  readonly lost: number
  /** Position to read on from. */
  readonly next: string
  /** Offset of the last message there is. */
  readonly head: number
}

/** Where to begin: after a position that was read before, after an offset, or at either end. */
export type After = string | number | 'earliest' | 'latest'

/** Options of `Stream.read`. */
export interface ReadOptions {
  /** @defaultValue `'earliest'` */
  readonly after?: After | undefined
  /** Messages in one batch, at most. A batch also ends at a mebibyte. @defaultValue `500` */
  readonly limit?: number | undefined
}

/** Options of `Stream.batches`, which goes on for ever. */
export interface BatchesOptions extends ReadOptions {
  /** Ends the iteration. */
  readonly signal?: AbortSignal | undefined
}
