import type { Batch, BatchesOptions, StreamMessage } from './batch.js'
import { brokenBy } from './discontinuity.js'
import type { FollowOptions } from './options.js'
import { parseAfter, position } from './position.js'

/** A handler's place on a stream. */
export interface StreamSubscription extends AsyncDisposable {
  /** Position after the last message whose handler has ended: begin there next time. */
  readonly position: string
  /** Resolves once it is closed; rejects with what ended it before. */
  readonly ended: Promise<void>
  /** Ends it, and waits for the handler that runs. */
  close(): Promise<void>
}

interface Source<T> {
  readonly name: string
  batches(options: BatchesOptions): AsyncGenerator<Batch<T>, void, void>
}

interface Begun<T> {
  readonly source: Source<T>
  readonly batches: AsyncGenerator<Batch<T>, void, void>
  readonly first: Batch<T> | undefined
  readonly abort: AbortController
  readonly signal: AbortSignal
  readonly handler: (message: StreamMessage<T>) => unknown
  readonly options: FollowOptions
}

/** Feeds a handler from a stream. */
export class Subscriber<T> implements StreamSubscription {
  readonly #abort: AbortController
  readonly #signal: AbortSignal
  readonly #batches: AsyncGenerator<Batch<T>, void, void>
  readonly #handler: (message: StreamMessage<T>) => unknown
  readonly #options: FollowOptions
  readonly #name: string
  readonly ended: Promise<void>
  #position: string

  /** Begins once the place is known. */
  static async start<T>(
    source: Source<T>,
    handler: (message: StreamMessage<T>) => unknown,
    options: FollowOptions,
  ): Promise<Subscriber<T>> {
    const abort = new AbortController()
    const { after = 'latest', signal: outer } = options
    const signal = outer === undefined ? abort.signal : AbortSignal.any([abort.signal, outer])
    const batches = source.batches({ after, signal })
    const first = (await batches.next()).value ?? undefined
    return new Subscriber({ source, batches, first, abort, signal, handler, options })
  }

  private constructor(begun: Begun<T>) {
    this.#name = begun.source.name
    this.#batches = begun.batches
    this.#abort = begun.abort
    this.#signal = begun.signal
    this.#handler = begun.handler
    this.#options = begun.options
    this.#position = startOf(begun.first)
    this.ended = this.#run(begun.first)
    this.ended.catch(() => {})
  }

  get position(): string {
    return this.#position
  }

  async close(): Promise<void> {
    this.#abort.abort()
    await this.ended.catch(() => {})
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #run(first: Batch<T> | undefined): Promise<void> {
    try {
      for (let batch = first; batch !== undefined; ) {
        await this.#handle(batch)
        if (this.#signal.aborted) return
        batch = (await this.#batches.next()).value ?? undefined
      }
    } finally {
      await this.#batches.return(undefined)
    }
  }

  async #handle(batch: Batch<T>): Promise<void> {
    await brokenBy(this.#name, batch, this.#options.onDiscontinuity)
    for (const message of batch.messages) {
      if (this.#signal.aborted) return
      await this.#handler(message)
      this.#position = message.position
    }
  }
}

/** Position that the first message of a batch follows. */
function startOf(batch: Batch | undefined): string {
  const { epoch, offset } = parseAfter(batch?.next ?? '0:0')
  return position(Number(epoch), Number(offset) - (batch?.messages.length ?? 0))
}
