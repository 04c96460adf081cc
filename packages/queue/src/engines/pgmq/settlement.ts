/**
 * What has ended, on its way to the server. What was not answered waits again: a message that is no more, or was read again, is not
 * changed by telling it twice.
 */
import type { Database } from '@howdah/core'
import type { Job } from '../../job.js'
import type { End } from '../../worker/holding.js'
import { type Notes, notesOf, parseHeaders, withNotes } from './message.js'
import type { ResolvedPgmqOptions } from './options.js'
import { bury, hide, removeMessages } from './statements.js'
import type { Held } from './worker.js'

/** A job and how it ended. */
export interface Ended<T> {
  readonly held: Held<T>
  readonly end: End
  /** It is a dead letter by our own count, whatever its failures. */
  readonly dies?: boolean
  /** It was another worker's by then. */
  readonly lost?: boolean
}

/** Tells the server what has ended. */
export class Settlement<T> {
  readonly #db: Database
  readonly #options: ResolvedPgmqOptions
  readonly #onTold: (told: readonly Ended<T>[], dead: ReadonlySet<Job<T>>) => void
  #ended: Ended<T>[] = []
  #flushing: Promise<void> | undefined

  constructor(
    db: Database,
    options: ResolvedPgmqOptions,
    onTold: (told: readonly Ended<T>[], dead: ReadonlySet<Job<T>>) => void,
  ) {
    this.#db = db
    this.#options = options
    this.#onTold = onTold
  }

  get waiting(): number {
    return this.#ended.length
  }

  end(held: Held<T>, end: End, dies = false): void {
    this.#ended.push({ held, end, dies })
  }

  /** Tells all that waits. One at a time. */
  flush(): Promise<void> {
    this.#flushing ??= this.#flush().finally(() => {
      this.#flushing = undefined
    })
    return this.#flushing
  }

  async #flush(): Promise<void> {
    const ended = this.#ended
    if (ended.length === 0) return
    this.#ended = []
    const left = new Set(ended)
    try {
      for (const level of this.#options.levels) {
        const mine = ended.filter(({ held }) => held.level === level)
        const gone = mine.filter(({ end }) => GONE.has(end.kind))
        const failed = mine.filter(({ end }) => end.kind === 'failed')
        const dead = failed.filter((each) => this.#dies(each))
        const again = mine.filter((each) => !GONE.has(each.end.kind) && !dead.includes(each))
        if (gone.length > 0) await this.#remove(level.queue, gone, left)
        if (again.length > 0) await this.#hide(level.queue, again, left)
        for (const each of dead) await this.#bury(level.queue, each, left)
      }
    } finally {
      this.#ended = [...left, ...this.#ended]
    }
  }

  async #remove(queue: string, ended: readonly Ended<T>[], left: Set<Ended<T>>): Promise<void> {
    const how = this.#options.archive ? 'archive' : 'delete'
    const rows = await this.#db.query(removeMessages[how](queue, ...keys(ended)))
    this.#tell(ended, rows, left)
  }

  async #hide(queue: string, ended: readonly Ended<T>[], left: Set<Ended<T>>): Promise<void> {
    const what = ended.map((each) => this.#again(each))
    const rows = await this.#db.query(
      hide(
        queue,
        ...keys(ended),
        what.map(({ delay }) => delay),
        what.map(({ headers }) => headers),
      ),
    )
    this.#tell(ended, rows, left)
  }

  async #bury(queue: string, each: Ended<T>, left: Set<Ended<T>>): Promise<void> {
    const { row, job } = each.held
    const headers = parseHeaders(row.headers)
    const notes: Notes = {
      failures: (notesOf(headers).failures ?? 0) + (each.dies === true ? 0 : 1),
      error: each.end.error,
      id: job.id,
      queue,
      added: row.addedAt,
    }
    const { dead } = this.#options
    const statement = bury(queue, row.id, row.readCt, dead, withNotes(headers, notes))
    this.#tell([each], await this.#db.query(statement), left, new Set([job]))
  }

  #tell(
    ended: readonly Ended<T>[],
    rows: readonly { readonly id: string }[],
    left: Set<Ended<T>>,
    dead: ReadonlySet<Job<T>> = new Set(),
  ): void {
    const mine = new Set(rows.map((row) => row.id))
    for (const each of ended) left.delete(each)
    this.#onTold(
      ended.map((each) => ({ ...each, lost: !mine.has(each.held.row.id) })),
      dead,
    )
  }

  #dies({ held, dies }: Ended<T>): boolean {
    const { failures = 0 } = notesOf(parseHeaders(held.row.headers))
    return dies === true || failures + 1 >= held.job.maxAttempts
  }

  /** How long a job that runs again waits, and what is noted of it. */
  #again({ held, end }: Ended<T>): { readonly delay: number; readonly headers: string } {
    const { row } = held
    const headers = parseHeaders(row.headers)
    const { failures = 0, free = 0, backoff = this.#options.backoffMs } = notesOf(headers)
    if (end.kind === 'failed') {
      const wait = Math.min(this.#options.maxBackoffMs, backoff * 2 ** failures)
      const notes = { failures: failures + 1, waits: row.readCt, error: end.error }
      return {
        delay: end.delayMs ?? wait * (0.5 + Math.random() / 2),
        headers: withNotes(headers, notes),
      }
    }
    const delay = end.kind === 'later' ? (end.delayMs ?? 0) : 0
    return { delay, headers: withNotes(headers, { free: free + 1, waits: row.readCt }) }
  }
}

const GONE: ReadonlySet<End['kind']> = new Set(['completed', 'discarded', 'cancelled'])

function keys<T>(ended: readonly Ended<T>[]): [ids: string[], counts: number[]] {
  return [ended.map(({ held }) => held.row.id), ended.map(({ held }) => held.row.readCt)]
}
