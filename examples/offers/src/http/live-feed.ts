import type { Channel, Subscription } from '@howdah/pubsub'
import type { Response } from 'express'
import type { BoardEvent } from '../domain/events.js'

/** What a page is told: what happened, and the numbers it may be showing. */
export interface PageEvent {
  readonly kind: BoardEvent['kind'] | 'gap'
  readonly offerId?: string
  readonly title?: string
  readonly counts?: Readonly<Record<string, number>>
}

/** Proxies close connections that stay silent for longer. */
const HEARTBEAT_MS = 20_000
/** A page that reads this slowly is cut off; it connects again and loads what it missed. */
const MAX_UNREAD_BYTES = 256 * 1024

/**
 * Tells the pages that are open on this process what happens on the board, over server-sent events. One subscription serves
 * them all.
 *
 * Nothing is kept for a page that is away: after a gap, its own or that of the subscription, it loads its content anew.
 */
export class LiveFeed {
  /** Open pages, with the member each belongs to. */
  readonly #pages = new Map<Response, string | undefined>()
  #subscription: Subscription | undefined
  #heartbeat: NodeJS.Timeout | undefined
  #closed = false

  async start(events: Channel<BoardEvent>): Promise<void> {
    this.#subscription = await events.subscribe((event) => this.#tell(event), {
      onGap: () => this.#send({ kind: 'gap' }),
    })
    this.#heartbeat = setInterval(() => this.#write(':\n\n'), HEARTBEAT_MS)
  }

  /** Keeps a response open until the page goes. */
  open(res: Response, memberId: string | undefined): void {
    // Cut off rather than refused: a page that is refused never tries again.
    if (this.#closed) {
      res.destroy()
      return
    }
    res.set({ 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' })
    res.flushHeaders()
    res.write('retry: 1000\n\n')
    this.#pages.set(res, memberId)
    res.on('close', () => this.#pages.delete(res))
  }

  async close(): Promise<void> {
    this.#closed = true
    clearInterval(this.#heartbeat)
    await this.#subscription?.close()
    for (const res of this.#pages.keys()) res.end()
  }

  #tell(event: BoardEvent): void {
    if (event.kind === 'mailed') this.#send(pageEvent(event), event.memberId)
    else this.#send(pageEvent(event))
  }

  #send(event: PageEvent, onlyTo?: string): void {
    this.#write(`data: ${JSON.stringify(event)}\n\n`, onlyTo)
  }

  #write(text: string, onlyTo?: string): void {
    for (const [res, memberId] of this.#pages) {
      if (onlyTo !== undefined && memberId !== onlyTo) continue
      if (res.writableLength > MAX_UNREAD_BYTES) res.destroy()
      else res.write(text)
    }
  }
}

/** Puts what happened into the words of a page. A count's name is that of the element's `data-count`. */
function pageEvent(event: BoardEvent): PageEvent {
  switch (event.kind) {
    case 'viewed':
      return { kind: event.kind, counts: { [`views:${event.offerId}`]: event.views } }
    case 'followed':
      return { kind: event.kind, counts: { [`followers:${event.institution}`]: event.followers } }
    case 'mailed':
      return { kind: event.kind, counts: { mails: event.mails } }
    default:
      return event
  }
}
