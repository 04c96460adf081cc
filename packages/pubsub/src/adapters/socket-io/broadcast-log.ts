/**
 * The one path of what must be in order and may be missed: broadcasts that clients can recover, and joins, leaves and disconnects among them. It is
 * appended to a stream, and every server, the one that sent it included, acts on what it reads there. So all servers see the same order, a
 * client's offset stands for everything before it, and what a client missed lies between its offset and the reader's.
 *
 * Invariants
 * - Frames of one server are appended in the order of its calls: one append runs at a time, and one that failed is tried again before any other.
 * - An append whose answer was lost may be there twice. Frames count up for each server, so readers drop those that come again.
 * - Nothing is appended before the place is known from which we read: we hear all of our own.
 */
import { Backoff, HowdahError, Loop } from '@howdah/core'
import { pubSubError } from '../../errors.js'
import type { Stream } from '../../stream/stream.js'
import { decodeFrame, encodeFrame, type Frame } from './frame.js'
import { pause } from './pause.js'

const BATCH_FRAMES = 500
const BATCH_BYTES = 1024 * 1024
const WAITING_BYTES = 64 * 1024 * 1024

/** Room for the largest frame in base64. */
export const MAX_LOGGED_LENGTH: number = 43 * 1024 * 1024

interface Waiting {
  readonly bytes: Buffer
  resolve(): void
  reject(error: unknown): void
}

/** A frame with its place in the log. */
export interface LoggedFrame {
  readonly frame: Frame
  /** Position in the stream, which clients get as the offset. */
  readonly position: string
}

/** What a {@link BroadcastLog} tells. */
export interface LogListener {
  onLogged(logged: LoggedFrame): void
  onError(error: unknown): void
}

/** A frame in a message of the stream. */
export type LogStream = Stream<string>

/** The log as one server sees it. */
export class BroadcastLog {
  readonly #stream: LogStream
  readonly #server: string
  readonly #listener: LogListener
  readonly #reading: Loop
  readonly #abort = new AbortController()
  readonly #backoff = new Backoff()
  readonly #fresh = new Freshness()
  #opened: () => void = () => {}
  readonly #begun: Promise<void>
  #waiting: Waiting[] = []
  #waitingBytes = 0
  #number = 0
  #appending: Promise<void> | undefined
  #position: string | undefined
  #moved: (() => void)[] = []

  constructor(stream: LogStream, server: string, listener: LogListener) {
    this.#stream = stream
    this.#server = server
    this.#listener = listener
    this.#begun = new Promise((resolve) => {
      this.#opened = resolve
    })
    this.#reading = new Loop({
      interval: 1000,
      run: async (signal) => {
        await this.#read(signal)
        return undefined
      },
      onError: (error) => listener.onError(error),
    })
    this.#reading.start()
  }

  /** Position up to which everything was acted on; `undefined` before the reading began. */
  get position(): string | undefined {
    return this.#position
  }

  /**
   * Appends a frame, which is read before this returns. Resolves once it is on disk.
   *
   * @throws {@link HowdahError} PUBSUB_MESSAGE_TOO_LARGE, CORE_OVERLOADED, PUBSUB_CLOSED
   */
  async append(frame: Omit<Frame, 'server' | 'number'>): Promise<void> {
    const bytes = encodeFrame({ ...frame, server: this.#server, number: this.#number + 1 })
    if (this.#waitingBytes + bytes.length > WAITING_BYTES) {
      throw new HowdahError(
        'CORE_OVERLOADED',
        'A broadcast was dropped: too many of them wait for the database, which cannot be reached or is too slow.',
      )
    }
    this.#number++
    await new Promise<void>((resolve, reject) => {
      this.#waiting.push({ bytes, resolve, reject })
      this.#waitingBytes += bytes.length
      this.#appending ??= this.#append()
    })
  }

  /** Resolves once everything up to a position was acted on; answers whether it was within the time. */
  async reached(position: string, ms: number): Promise<boolean> {
    const until = performance.now() + ms
    while (!this.#abort.signal.aborted) {
      if (this.#position !== undefined && !isAfter(position, this.#position)) return true
      if (performance.now() >= until) return false
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, Math.max(1, until - performance.now()))
        this.#moved.push(() => {
          clearTimeout(timer)
          resolve()
        })
      })
    }
    return false
  }

  /** Answers the frames after one position up to another; `undefined` where some are gone. */
  async between(after: string, end: string): Promise<LoggedFrame[] | undefined> {
    const found: LoggedFrame[] = []
    const fresh = new Freshness()
    for (let at = after; isAfter(end, at); ) {
      const batch = await this.#stream.read({ after: at })
      if (batch.continuity !== 'ok' || batch.messages.length === 0) return undefined
      for (const { payload, position } of batch.messages) {
        if (isAfter(position, end)) return found
        const frame = decodeFrame(Buffer.from(payload, 'base64'))
        if (fresh.accept(frame)) found.push({ frame, position })
      }
      at = batch.next
    }
    return found
  }

  /** Appends what waits, within the time, and ends. */
  async close(ms: number): Promise<void> {
    await Promise.race([this.#appending, pause(ms)])
    this.#abort.abort()
    this.#opened()
    const lost = pubSubError('PUBSUB_CLOSED', 'The server was closed before this was sent.')
    for (const { reject } of this.#waiting.splice(0)) reject(lost)
    for (const moved of this.#moved.splice(0)) moved()
    await Promise.race([this.#reading.stop(), pause(ms)])
  }

  async #append(): Promise<void> {
    await this.#begun
    while (this.#waiting.length > 0 && !this.#abort.signal.aborted) {
      const batch = this.#waiting.slice(0, this.#fitting())
      try {
        await this.#stream.appendMany(
          batch.map(({ bytes }) => ({ payload: bytes.toString('base64') })),
        )
      } catch (error) {
        this.#listener.onError(error)
        await pause(this.#backoff.next())
        continue
      }
      this.#backoff.reset()
      for (const { bytes, resolve } of this.#waiting.splice(0, batch.length)) {
        this.#waitingBytes -= bytes.length
        resolve()
      }
    }
    this.#appending = undefined
  }

  #fitting(): number {
    let size = 0
    const end = this.#waiting.findIndex(({ bytes }, n) => {
      size += bytes.length
      return n === BATCH_FRAMES || (n > 0 && size > BATCH_BYTES)
    })
    return end === -1 ? this.#waiting.length : end
  }

  async #read(signal: AbortSignal): Promise<void> {
    const after = this.#position ?? 'latest'
    for await (const batch of this.#stream.batches({ after, signal })) {
      if (batch.continuity !== 'ok') {
        this.#listener.onError(
          pubSubError(
            batch.continuity === 'reset' ? 'PUBSUB_RESET' : 'PUBSUB_TRUNCATED',
            'Broadcasts of other servers were lost to this one: it was cut off for longer than they are kept, or the database was replaced.',
          ),
        )
      }
      for (const { payload, position } of batch.messages) this.#act(payload, position)
      this.#position = batch.next
      this.#opened()
      for (const moved of this.#moved.splice(0)) moved()
    }
  }

  #act(payload: string, position: string): void {
    // Before it is acted on: whoever begins to wait for later ones meanwhile must not get this one.
    this.#position = position
    try {
      const frame = decodeFrame(Buffer.from(payload, 'base64'))
      if (this.#fresh.accept(frame)) this.#listener.onLogged({ frame, position })
    } catch (error) {
      this.#listener.onError(error)
    }
  }
}

/** Tells frames that were appended again from new ones. */
class Freshness {
  readonly #last = new Map<string, number>()

  accept({ server, number }: Frame): boolean {
    if (number === undefined) return true
    if (number <= (this.#last.get(server) ?? 0)) return false
    // The order of insertion is that of the last frame, so that servers long gone are first.
    this.#last.delete(server)
    this.#last.set(server, number)
    for (const oldest of this.#last.keys()) {
      if (this.#last.size <= 1000) break
      this.#last.delete(oldest)
    }
    return true
  }
}

/** Whether one position comes after another. */
export function isAfter(position: string, other: string): boolean {
  const [epoch = 0, offset = 0] = position.split(':').map(Number)
  const [otherEpoch = 0, otherOffset = 0] = other.split(':').map(Number)
  return epoch === otherEpoch ? offset > otherOffset : epoch > otherEpoch
}
