/**
 * What waits to go to one client.
 *
 * States: open -> (close) -> closed. While open, frames gather in `#chunks` during a turn of the event loop and go to the socket in one write at
 * its end; while the socket has not taken what it was given, they stay in `#chunks`.
 *
 * Invariants
 * - Frames go out in the order they were pushed, and whole.
 * - The socket is given at most one write of about `WRITE_BYTES` beyond what the kernel takes. What waits in `#chunks` are references to
 *   frames that slow clients share, so it costs each of them a pointer a frame.
 * - Who pushes asks `full` first, or keeps to a budget of `buffered`; nothing here grows by itself.
 * - `drained()` resolves when a push may follow, or at the close.
 */

/** The part of a socket or a response that is used. */
export interface Sink {
  write(chunk: Uint8Array): boolean
  cork(): void
  uncork(): void
  readonly writable: boolean
  readonly writableLength: number
  readonly writableNeedDrain: boolean
  once(event: 'drain', listener: () => void): unknown
}

/** Bytes in one write; above it, frames are not copied together. */
const WRITE_BYTES = 64 * 1024

/** Ends the turn for all clients of a gateway by one callback of the event loop. */
export class FlushTurn {
  #waiting: Outgoing[] = []

  add(outgoing: Outgoing): void {
    if (this.#waiting.push(outgoing) === 1) setImmediate(() => this.#flush())
  }

  #flush(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const outgoing of waiting) outgoing.flush()
  }
}

export class Outgoing {
  readonly #sink: Sink
  readonly #turn: FlushTurn
  readonly #onBytes: (bytes: number) => void
  #chunks: Uint8Array[] = []
  #bytes = 0
  #scheduled = false
  #draining = false
  #closed = false
  #waiters: (() => void)[] = []

  constructor(sink: Sink, turn: FlushTurn, onBytes: (bytes: number) => void) {
    this.#sink = sink
    this.#turn = turn
    this.#onBytes = onBytes
  }

  /** Bytes that the kernel has not taken yet. */
  get buffered(): number {
    return this.#bytes + this.#sink.writableLength
  }

  /** Whether to wait for {@link Outgoing.drained} before more is pushed. */
  get full(): boolean {
    return !this.#closed && (this.#draining || this.#bytes >= WRITE_BYTES)
  }

  /** Whether the client is behind: the kernel has stopped taking bytes for it. */
  get slow(): boolean {
    return this.#draining
  }

  push(chunk: Uint8Array): void {
    if (this.#closed) return
    this.#chunks.push(chunk)
    this.#bytes += chunk.length
    if (this.#scheduled || this.#draining) return
    this.#scheduled = true
    this.#turn.add(this)
  }

  drained(): Promise<void> {
    if (!this.full) return Promise.resolve()
    return new Promise((resolve) => this.#waiters.push(resolve))
  }

  /** Gives the socket what it may be given now. */
  flush(): void {
    this.#scheduled = false
    while (this.#chunks.length > 0 && !this.#draining && !this.#closed) this.#write(this.#take())
    if (!this.full) this.#wake()
  }

  /** Gives the socket everything, however slow it is: the close follows. */
  flushAll(): void {
    if (this.#chunks.length > 0 && !this.#closed) this.#write(this.#chunks.splice(0))
  }

  close(): void {
    this.#closed = true
    this.#chunks = []
    this.#bytes = 0
    this.#wake()
  }

  /** The first frames, up to the size of a write. */
  #take(): Uint8Array[] {
    const chunks = this.#chunks
    if (this.#bytes <= WRITE_BYTES) {
      this.#chunks = []
      return chunks
    }
    let bytes = 0
    const end = chunks.findIndex((chunk) => {
      bytes += chunk.length
      return bytes > WRITE_BYTES
    })
    return chunks.splice(0, Math.max(1, end))
  }

  #write(chunks: Uint8Array[]): void {
    const bytes = chunks.reduce((sum, chunk) => sum + chunk.length, 0)
    this.#bytes -= bytes
    // The other side has said goodbye.
    if (!this.#sink.writable) return
    this.#onBytes(bytes)
    const [only] = chunks
    if (only !== undefined && chunks.length === 1) this.#sink.write(only)
    // One write of a copy costs less than writev of many, for all sizes up to here.
    else if (bytes <= WRITE_BYTES) this.#sink.write(Buffer.concat(chunks, bytes))
    else {
      this.#sink.cork()
      for (const chunk of chunks) this.#sink.write(chunk)
      this.#sink.uncork()
    }
    if (this.#draining || !this.#sink.writableNeedDrain) return
    this.#draining = true
    this.#sink.once('drain', () => {
      this.#draining = false
      this.flush()
    })
  }

  #wake(): void {
    const waiters = this.#waiters
    if (waiters.length === 0) return
    this.#waiters = []
    for (const wake of waiters) wake()
  }
}
