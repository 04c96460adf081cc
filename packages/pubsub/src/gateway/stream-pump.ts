/**
 * Brings one stream to one client, from a position on.
 *
 * States: reading -> (failed -> reading)* -> (close) -> closed. It reads the next batch only when the client's socket has taken the last one, so a
 * client that does not read costs one batch, whatever is appended meanwhile; when it reads again it goes on where it was, like a reader of the log.
 *
 * Invariants
 * - Frames of messages go out in the order of offsets. `prev` of each names the offset that this client had, or was filtered past, just before.
 * - `#position` is what the client has been sent or filtered past; after a failure reading goes on from there, so nothing is sent twice.
 * - Whatever breaks continuity (`truncated`, `reset`) is told by a `subd` frame before the messages that follow it.
 */

import { setTimeout as later } from 'node:timers/promises'
import { Backoff, isHowdahError } from '@howdah/core'
import { pubSubError } from '../errors.js'
import type { Batch } from '../stream/batch.js'
import type { Client } from './client.js'
import type { Matches } from './filter.js'
import { offsetOf, type SubscriptionState } from './protocol.js'
import type { StreamSource } from './sources.js'

/** Messages in one batch: enough for few reads, little enough for many clients that wait. */
const BATCH = 100

/** Filtered messages after which the client is told how far it is. A heartbeat tells it, too. */
const TELL_AFTER = 500

/** What no later try can mend. */
const PERMANENT: ReadonlySet<string> = new Set([
  'PUBSUB_INVALID_OPTION',
  'PUBSUB_NOT_FOUND',
  'PUBSUB_CLOSED',
])

export interface StreamPumpOptions {
  readonly client: Client
  readonly source: StreamSource
  readonly ch: string
  readonly id: number
  readonly after: string | undefined
  readonly matches: Matches | undefined
  /** A failure that will be tried again. */
  readonly onError: (error: unknown) => void
}

export class StreamPump {
  readonly #options: StreamPumpOptions
  readonly #abort = new AbortController()
  #position: string | undefined
  /** Offset that the client knows it is at. */
  #told = 0
  matches: Matches | undefined

  constructor(options: StreamPumpOptions) {
    this.#options = options
    this.matches = options.matches
  }

  /** Where the client is; `undefined` before it was told. */
  get position(): string | undefined {
    return this.#position
  }

  /** Runs until it is closed. Rejects when the position or the stream can never be read. */
  async run(): Promise<void> {
    const backoff = new Backoff()
    const { signal } = this.#abort
    while (!signal.aborted) {
      try {
        await this.#read(() => backoff.reset())
        // A stream goes on for ever, unless whoever reads it was closed.
        if (!signal.aborted) throw pubSubError('PUBSUB_CLOSED', 'The stream is read no more.')
      } catch (error) {
        if (signal.aborted) return
        if (isPermanent(error)) throw error
        this.#options.onError(error)
        await later(backoff.next(), undefined, { signal, ref: false }).catch(() => {})
      }
    }
  }

  close(): void {
    this.#abort.abort()
  }

  /** Tells the client of messages that it was filtered past. */
  tellProgress(): void {
    const { client, ch } = this.#options
    if (this.#position === undefined || offsetOf(this.#position) === this.#told) return
    this.#told = offsetOf(this.#position)
    client.send({ t: 'skip', ch, off: this.#position })
  }

  async #read(onSuccess: () => void): Promise<void> {
    const { source } = this.#options
    const { signal } = this.#abort
    const after = this.#position ?? this.#options.after ?? 'latest'
    for await (const batch of source.batches({ after, limit: BATCH, signal })) {
      if (signal.aborted) return
      onSuccess()
      if (this.#position === undefined || batch.continuity !== 'ok') this.#announce(batch)
      await this.#deliver(batch)
    }
  }

  #announce(batch: Batch): void {
    const { client, ch, id, after } = this.#options
    const resumes = this.#position !== undefined || after?.includes(':') === true
    const ok: SubscriptionState = resumes ? 'recovered' : 'live'
    const [first] = batch.messages
    this.#position = first === undefined ? batch.next : before(first.position, first.offset)
    this.#told = offsetOf(this.#position)
    client.send({
      t: 'subd',
      id,
      ch,
      state: batch.continuity === 'ok' ? ok : batch.continuity,
      off: this.#position,
      valid: batch.continuity === 'reset' ? batch.validUntil : undefined,
      lost: batch.continuity === 'truncated' ? batch.lost : undefined,
    })
  }

  async #deliver(batch: Batch): Promise<void> {
    const { client, ch } = this.#options
    const { outgoing, encoder } = client
    for (const message of batch.messages) {
      this.#position = message.position
      if (this.matches === undefined || this.matches(message.payload)) {
        const frame = encoder.streamMessage(ch, message, this.#told)
        this.#told = message.offset
        client.sendMessage(frame)
      } else if (message.offset - this.#told >= TELL_AFTER) this.tellProgress()
      if (outgoing.full) {
        await outgoing.drained()
        if (this.#abort.signal.aborted) return
      }
    }
  }
}

function before(position: string, offset: number): string {
  return `${position.slice(0, position.indexOf(':'))}:${offset - 1}`
}

function isPermanent(error: unknown): boolean {
  return isHowdahError(error) && PERMANENT.has(error.code)
}
