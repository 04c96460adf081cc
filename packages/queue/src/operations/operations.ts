import { type Database, type Duration, parseDuration, type TransactionHandle } from '@howdah/core'
import { epochMs } from '../add-options.js'
import { invalid, whole } from '../options.js'
import { countJobs } from '../sql/count-jobs.js'
import { getJob, type JobRow, LISTED, listJobs } from '../sql/look.js'
import {
  type CancelAnswer,
  cancelJob,
  clearQueue,
  pauseQueue,
  purgeDead,
  redriveDead,
  rescheduleJob,
} from '../sql/operations.js'
import { type JobInfo, type JobList, type ListOptions, toJobInfo } from './job-info.js'
import { type QueueStats, toStats } from './stats.js'

/** A transaction to do it in. */
export interface WriteOptions {
  readonly client?: TransactionHandle | undefined
}

/** What {@link Queue.reschedule} changes; what is not given stays. */
export interface RescheduleOptions {
  readonly priority?: number | undefined
  /** From now. Not together with `runAt`. */
  readonly delay?: Duration | undefined
  readonly runAt?: Date | undefined
}

/** A job that failed as often as it may, or whose workers died as often. */
export interface DeadLetter<T> {
  readonly id: string
  readonly payload: T
  /** Attempts made, those whose worker died included. */
  readonly attempts: number
  /** Text of the last attempt's error. */
  readonly error: string | null
  readonly addedAt: Date
  readonly diedAt: Date
}

const AT_ONCE = 1000
const MAX_LISTED = 1000
const CURSOR = /^-?\d{1,19}(?::\d{1,19})?$/

/** What is done to the jobs of one queue, behind the methods of {@link Queue}. */
export class Operations<T> {
  readonly #db: Database
  readonly #open: () => Promise<number>

  constructor(db: Database, open: () => Promise<number>) {
    this.#db = db
    this.#open = open
  }

  async stats(): Promise<QueueStats> {
    const queue = await this.#open()
    const [row] = await this.#db.query(countJobs(this.#db.schema, queue))
    if (row === undefined) throw new Error('The server did not answer the counts.')
    return toStats(row)
  }

  async get(id: string): Promise<JobInfo<T> | undefined> {
    checkId(id)
    const queue = await this.#open()
    const [row] = await this.#db.query(getJob(this.#db.schema, queue, id))
    return row === undefined ? undefined : toJobInfo(row)
  }

  async list({ state = 'waiting', limit = 100, after }: ListOptions): Promise<JobList<T>> {
    if (!LISTED.includes(state)) throw invalid(`state must be one of ${LISTED.join(', ')}.`)
    whole('limit', limit, 1, MAX_LISTED)
    if (after !== undefined && !(typeof after === 'string' && CURSOR.test(after))) {
      throw invalid('after must be the next of the list before.')
    }
    const rows = await this.#rows(state, after, limit)
    const last = rows.length === limit ? rows.at(-1)?.cursor : undefined
    return { jobs: rows.map((row) => toJobInfo<T>(row)), next: last ?? undefined }
  }

  async deadLetters({
    limit = 100,
  }: {
    readonly limit?: number | undefined
  }): Promise<DeadLetter<T>[]> {
    whole('limit', limit, 1, MAX_LISTED)
    const rows = await this.#rows('failed', undefined, limit)
    return rows.map((row) => ({
      id: row.id,
      payload: JSON.parse(row.payload) as T,
      attempts: row.failures + row.crashes,
      error: row.error,
      addedAt: new Date(row.addedAt),
      diedAt: new Date(row.finishedAt ?? row.addedAt),
    }))
  }

  async redrive(ids: readonly string[] | undefined, options: WriteOptions): Promise<number> {
    return this.#inBatches(options, checkIds(ids), (queue, some, limit) =>
      redriveDead(this.#db.schema, queue, some, limit),
    )
  }

  async purgeDead(ids: readonly string[] | undefined, options: WriteOptions): Promise<number> {
    return this.#inBatches(options, checkIds(ids), (queue, some, limit) =>
      purgeDead(this.#db.schema, queue, some, limit),
    )
  }

  clear(options: WriteOptions): Promise<number> {
    return this.#inBatches(options, null, (queue, _ids, limit) =>
      clearQueue(this.#db.schema, queue, limit),
    )
  }

  async cancel(id: string, { client }: WriteOptions): Promise<CancelAnswer> {
    checkId(id)
    await this.#open()
    const [row] = await this.#db.query(cancelJob(this.#db.schema, id), client)
    return row?.answer ?? 'unknown'
  }

  async reschedule(
    id: string,
    { priority, delay, runAt }: RescheduleOptions,
    { client }: WriteOptions,
  ): Promise<boolean> {
    checkId(id)
    if (delay !== undefined && runAt !== undefined) throw invalid('Give delay or runAt, not both.')
    if (priority === undefined && delay === undefined && runAt === undefined) {
      throw invalid('Give a priority, a delay or a runAt.')
    }
    if (priority !== undefined) whole('priority', priority, -32_768, 32_767)
    const delayMs = delay === undefined ? null : parseDuration(delay, 'delay')
    const runAtMs = runAt === undefined ? null : epochMs(runAt)
    await this.#open()
    const statement = rescheduleJob(this.#db.schema, id, priority ?? null, delayMs, runAtMs)
    const [row] = await this.#db.query(statement, client)
    return row?.moved === true
  }

  async pause(paused: boolean, { client }: WriteOptions): Promise<void> {
    const queue = await this.#open()
    await this.#db.query(pauseQueue(this.#db.schema, queue, paused), client)
  }

  async #rows(
    state: (typeof LISTED)[number],
    after: string | undefined,
    limit: number,
  ): Promise<JobRow[]> {
    const queue = await this.#open()
    return this.#db.query(listJobs[state](this.#db.schema, queue, after ?? null, limit))
  }

  /** Many jobs in statements of a thousand, for none of them should hold many locks; all in the caller's transaction where there is one. */
  async #inBatches(
    { client }: WriteOptions,
    ids: readonly string[] | null,
    statement: (
      queue: number,
      ids: readonly string[] | null,
      limit: number,
    ) => Parameters<Database['query']>[0],
  ): Promise<number> {
    const queue = await this.#open()
    let total = 0
    for (;;) {
      const [row] = (await this.#db.query(statement(queue, ids, AT_ONCE), client)) as {
        n: number
      }[]
      const n = row?.n ?? 0
      total += n
      if (n < AT_ONCE) return total
    }
  }
}

/** @throws {@link HowdahError} QUEUE_INVALID_OPTION */
export function checkId(id: string): void {
  if (typeof id === 'string' && /^\d{1,18}$/.test(id)) return
  throw invalid("A job's id must be one that add() has answered.")
}

function checkIds(ids: readonly string[] | undefined): readonly string[] | null {
  if (ids === undefined) return null
  if (!Array.isArray(ids))
    throw invalid('Ids must be an array of those that deadLetters() answers.')
  for (const id of ids) checkId(id)
  return ids
}
