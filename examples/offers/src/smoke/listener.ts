import { EventEmitter, once } from 'node:events'
import type { PageEvent } from '../http/live-feed.js'
import type { Client } from './client.js'

const PATIENCE_MS = 30_000

/** One open page, as far as the server can tell: a connection to the live events. Keeps all it is told. */
export class Listener {
  readonly #abort = new AbortController()
  readonly #arrivals = new EventEmitter()
  readonly #events: PageEvent[] = []
  #reading: Promise<void> = Promise.resolve()

  static async open(client: Client): Promise<Listener> {
    const listener = new Listener()
    const response = await client.get('/live', listener.#abort.signal)
    if (response.body === null) throw new Error('/live answered without a body')
    listener.#reading = listener.#read(response.body).catch(() => {})
    return listener
  }

  /** Answers the first event that fits, of those that came already and those to come. */
  async event(what: string, fits: (event: PageEvent) => boolean): Promise<PageEvent> {
    const signal = AbortSignal.timeout(PATIENCE_MS)
    for (;;) {
      const found = this.#events.find(fits)
      if (found !== undefined) return found
      await once(this.#arrivals, 'event', { signal }).catch(() => {
        throw new Error(`no ${what} arrived within ${PATIENCE_MS / 1000} seconds`)
      })
    }
  }

  async close(): Promise<void> {
    this.#abort.abort()
    await this.#reading
  }

  async #read(body: ReadableStream<Uint8Array>): Promise<void> {
    let buffered = ''
    for await (const chunk of body.pipeThrough(new TextDecoderStream())) {
      const messages = (buffered + chunk).split('\n\n')
      buffered = messages.pop() ?? ''
      for (const message of messages) {
        if (!message.startsWith('data: ')) continue
        this.#events.push(JSON.parse(message.slice('data: '.length)))
        this.#arrivals.emit('event')
      }
    }
  }
}
