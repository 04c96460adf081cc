/** Events of jobs, as they travel between processes. They are sent only while somebody listens. */
import type { Database } from '@howdah/core'
import type { End } from './worker/holding.js'

export const EVENT_KIND = 'queue-event'

/** One event: what happened, to which job, and what there is to say of it. */
export type JobEvent =
  | readonly ['completed', id: string]
  | readonly ['failed', id: string, about: { readonly error: string; readonly dead: boolean }]
  | readonly ['progress', id: string, value: unknown]
  | readonly ['ended', id: string, outcome: string]

const AT_ONCE = 200
const MAX_ERROR = 500

/** The event of an end. */
export function jobEvent(id: string, end: End, dead: boolean): JobEvent {
  if (end.kind === 'completed') return ['completed', id]
  if (end.kind === 'failed') {
    return ['failed', id, { error: (end.error ?? '').slice(0, MAX_ERROR), dead }]
  }
  return ['ended', id, end.kind]
}

/** Sends events of a database's queues. */
export class EventSink {
  readonly #db: Database
  readonly #onError: (error: unknown) => void

  constructor(db: Database, onError: (error: unknown) => void) {
    this.#db = db
    this.#onError = onError
  }

  /** Never throws: who waits for an event also looks by himself. */
  send(queue: number, events: readonly JobEvent[]): void {
    for (let at = 0; at < events.length; at += AT_ONCE) {
      this.#db.hub
        .send(EVENT_KIND, String(queue), events.slice(at, at + AT_ONCE))
        .catch(this.#onError)
    }
  }
}
