import { type Database, type Duration, parseDuration } from '@howdah/core'
import { type JobOptions, jobSpec } from '../add-options.js'
import { queueError, refused } from '../errors.js'
import { invalid, text, whole } from '../options.js'
import {
  listRuns,
  listSchedules,
  pauseSchedule,
  type RunRow,
  readClock,
  removeSchedule,
  runScheduleNow,
  type ScheduleRow,
  setSchedule,
} from '../sql/schedules.js'
import { registerInPgCron, unregisterFromPgCron } from './pg-cron.js'
import { Scheduler } from './scheduler.js'
import { checkCron, checkTimezone, slotAfter, slotsAfter } from './when.js'

/** When a schedule runs: a cron of five fields, six with seconds, `@daily` and such; or again and again after a time. */
export type ScheduleTime = string | { readonly every: Duration }

/** Options of {@link Queue.schedule}; those of a job hold for each job it adds. */
export interface ScheduleOptions
  extends Pick<JobOptions, 'priority' | 'attempts' | 'backoff' | 'expireAfter' | 'group'> {
  /** The IANA time zone the cron is in. @defaultValue `'UTC'` */
  readonly timezone?: string | undefined
  /**
   * What becomes of slots that passed by more than ten seconds while no process was up: nothing, one run for all of them, or one for each.
   * @defaultValue `'skip'`
   */
  readonly catchUp?: 'skip' | 'last' | 'all' | undefined
  /** What becomes of a slot while an earlier run has not ended: it runs too, is skipped, or waits for its turn. @defaultValue `'allow'` */
  readonly overlap?: 'allow' | 'skip' | 'queue' | undefined
  /** How long runs that ended are kept. @defaultValue `'30d'` */
  readonly keep?: Duration | undefined
  /**
   * Who fires it: processes with this queue, or the extension pg_cron, with no process alive. pg_cron has one time zone for all, no seconds in
   * crons, and catches nothing up. @defaultValue `'howdah'`
   */
  readonly driver?: 'howdah' | 'pg_cron' | undefined
}

/** A schedule as it stands. */
export interface ScheduleInfo<T> {
  readonly name: string
  readonly cron: string | undefined
  /** Milliseconds. */
  readonly every: number | undefined
  readonly timezone: string
  readonly catchUp: 'skip' | 'last' | 'all'
  readonly overlap: 'allow' | 'skip' | 'queue'
  readonly driver: 'howdah' | 'pg_cron'
  readonly payload: T
  readonly paused: boolean
  /** When it runs next; `undefined` while it is paused, and where pg_cron decides. */
  readonly nextAt: Date | undefined
}

/** A run of a schedule. */
export interface ScheduleRun {
  /** When it was to run. */
  readonly scheduledAt: Date
  /** The job it added; `undefined` for a slot that was skipped or waits. */
  readonly job: string | undefined
  readonly startedAt: Date | undefined
  readonly finishedAt: Date | undefined
  /** `waiting` covers the job in its queue and the slot whose turn has not come. */
  readonly outcome:
    | 'waiting'
    | 'running'
    | 'completed'
    | 'failed'
    | 'discarded'
    | 'cancelled'
    | 'expired'
    | 'skipped'
}

const MAX_NAME = 200
const MAX_RUNS = 1000
const MAX_NEXT = 1000
const DEFAULT_KEEP_MS = 30 * 86_400_000
const CATCH_UP = ['skip', 'last', 'all'] as const
const OVERLAP = ['allow', 'skip', 'queue'] as const
const DRIVERS = ['howdah', 'pg_cron'] as const

/** @internal What schedules need of their queue. */
export interface SchedulesSource<T> {
  readonly db: Database
  open(): Promise<number>
  encode(payload: T): Promise<string>
  onError(error: unknown): void
}

/** The schedules of one queue; {@link Queue.schedules}. */
export class Schedules<T> {
  readonly #of: SchedulesSource<T>
  readonly #scheduler: Scheduler

  /** @internal */
  constructor(of: SchedulesSource<T>) {
    this.#of = of
    this.#scheduler = new Scheduler(of)
  }

  /** @internal Fires what is due, until `stop`. */
  start(): void {
    this.#scheduler.start()
  }

  /** @internal */
  stop(): Promise<void> {
    return this.#scheduler.stop()
  }

  /** @internal Fires what is due now. */
  fire(): Promise<number> {
    return this.#scheduler.fire()
  }

  /** @internal Behind {@link Queue.schedule}. */
  async set(
    name: string,
    time: ScheduleTime,
    payload: T,
    options: ScheduleOptions = {},
  ): Promise<void> {
    text("A schedule's name", name, MAX_NAME)
    const { timezone = 'UTC', catchUp = 'skip', overlap = 'allow', driver = 'howdah' } = options
    oneOf('catchUp', catchUp, CATCH_UP)
    oneOf('overlap', overlap, OVERLAP)
    oneOf('driver', driver, DRIVERS)
    checkTimezone(timezone)
    const cron = typeof time === 'string' ? checkCron(time, timezone) : null
    const everyMs =
      typeof time === 'string' ? null : parseDuration(time?.every, 'every', { min: 1000 })
    if (driver === 'pg_cron' && catchUp !== 'skip') {
      throw invalid('pg_cron catches nothing up: leave catchUp at skip, or the driver at howdah.')
    }
    const keepMs =
      options.keep === undefined ? DEFAULT_KEEP_MS : parseDuration(options.keep, 'keep')
    const { priority, attempts, backoff, expireAfter, group } = options
    const spec = jobSpec({ priority, attempts, backoff, expireAfter, group }) ?? {}
    const encoded = await this.#of.encode(payload)
    const { db } = this.#of
    const queue = await this.#of.open()
    const anchor = await this.#clock()
    const when = { cron, everyMs, timezone, anchor }
    const stored = {
      ...when,
      queue,
      name,
      catchUp,
      overlap,
      driver,
      payload: encoded,
      spec: JSON.stringify(spec),
      keepMs,
      nextAt: driver === 'pg_cron' ? null : slotAfter(when, anchor),
    }
    const before = await this.#find(name)
    await db.transaction(async (tx) => {
      const [row] = await db.query(setSchedule(db.schema, stored), tx).catch(refused)
      if (driver === 'pg_cron') await registerInPgCron(db, tx, row?.id as string, when)
      else if (before?.driver === 'pg_cron') await unregisterFromPgCron(db, tx, before.id)
    })
    this.#scheduler.start()
  }

  /** Lists the queue's schedules, by name. */
  async list(): Promise<ScheduleInfo<T>[]> {
    const { db, open } = this.#of
    const rows = await db.query(listSchedules(db.schema, await open(), null))
    return rows.map((row) => info<T>(row))
  }

  /** Answers a schedule; `undefined` where there is none of this name. */
  async get(name: string): Promise<ScheduleInfo<T> | undefined> {
    const row = await this.#find(name)
    return row === undefined ? undefined : info<T>(row)
  }

  /** Removes a schedule with its history; answers whether it was there. Jobs it has added stay. */
  async remove(name: string): Promise<boolean> {
    const row = await this.#find(name)
    if (row === undefined) return false
    const { db, open } = this.#of
    const queue = await open()
    const gone = await db.transaction(async (tx) => {
      if (row.driver === 'pg_cron') await unregisterFromPgCron(db, tx, row.id)
      return db.query(removeSchedule(db.schema, queue, name), tx)
    })
    return gone.length > 0
  }

  /**
   * Stops a schedule, in all processes. Slots that pass meanwhile are not caught up.
   *
   * @throws {@link HowdahError} QUEUE_NOT_FOUND
   */
  async pause(name: string): Promise<void> {
    await this.#setPaused(name, true)
  }

  /** Lets it go on with the next slot. @throws {@link HowdahError} QUEUE_NOT_FOUND */
  async resume(name: string): Promise<void> {
    await this.#setPaused(name, false)
  }

  /**
   * Runs a schedule now, also while it is paused, and answers the job's id; `undefined` where an earlier run has not ended and they are not to
   * overlap.
   *
   * @throws {@link HowdahError} QUEUE_NOT_FOUND
   */
  async runNow(name: string): Promise<string | undefined> {
    const { db } = this.#of
    const { id } = await this.#existing(name)
    const [row] = await db.query(runScheduleNow(db.schema, id))
    return row?.job ?? undefined
  }

  /** Answers when it runs next, at most `count` times. @defaultValue count `1` @throws {@link HowdahError} QUEUE_NOT_FOUND */
  async next(name: string, count = 1): Promise<Date[]> {
    whole('count', count, 1, MAX_NEXT)
    const row = await this.#existing(name)
    return slotsAfter(row, await this.#clock(), count).map((at) => new Date(at))
  }

  /**
   * Lists its runs, newest first; at most `limit`, up to 1000. @defaultValue limit `100`
   *
   * @throws {@link HowdahError} QUEUE_NOT_FOUND
   */
  async runs(
    name: string,
    { limit = 100 }: { readonly limit?: number | undefined } = {},
  ): Promise<ScheduleRun[]> {
    whole('limit', limit, 1, MAX_RUNS)
    const { id } = await this.#existing(name)
    const { db } = this.#of
    return (await db.query(listRuns(db.schema, id, limit))).map(run)
  }

  async #setPaused(name: string, paused: boolean): Promise<void> {
    const row = await this.#existing(name)
    const { db, open } = this.#of
    const queue = await open()
    const next = row.driver === 'pg_cron' ? null : slotAfter(row, await this.#clock())
    await db.transaction(async (tx) => {
      await db.query(pauseSchedule(db.schema, queue, name, paused, next), tx)
      if (row.driver !== 'pg_cron') return
      if (paused) await unregisterFromPgCron(db, tx, row.id)
      else await registerInPgCron(db, tx, row.id, row)
    })
  }

  async #clock(): Promise<number> {
    const { db } = this.#of
    const [row] = await db.query(readClock(db.schema))
    return Math.floor((row as { readonly now: number }).now)
  }

  async #find(name: string): Promise<ScheduleRow | undefined> {
    text("A schedule's name", name, MAX_NAME)
    const { db, open } = this.#of
    return (await db.query(listSchedules(db.schema, await open(), name)))[0]
  }

  async #existing(name: string): Promise<ScheduleRow> {
    const row = await this.#find(name)
    if (row !== undefined) return row
    throw queueError(
      'QUEUE_NOT_FOUND',
      `The queue has no schedule ${JSON.stringify(name)}. schedules.list() answers those it has.`,
    )
  }
}

function info<T>(row: ScheduleRow): ScheduleInfo<T> {
  const { name, timezone, catchUp, overlap, driver, paused } = row
  return {
    name,
    cron: row.cron ?? undefined,
    every: row.everyMs ?? undefined,
    timezone,
    catchUp,
    overlap,
    driver,
    payload: JSON.parse(row.payload) as T,
    paused,
    nextAt: paused || row.nextAt === null ? undefined : new Date(row.nextAt),
  }
}

function run({ slot, job, startedAt, finishedAt, outcome }: RunRow): ScheduleRun {
  const date = (ms: number | null) => (ms === null ? undefined : new Date(ms))
  const now = startedAt === null ? 'waiting' : 'running'
  return {
    scheduledAt: new Date(slot),
    job: job ?? undefined,
    startedAt: date(startedAt),
    finishedAt: date(finishedAt),
    outcome: (outcome ?? now) as ScheduleRun['outcome'],
  }
}

function oneOf(name: string, value: string, allowed: readonly string[]): void {
  if (!allowed.includes(value)) throw invalid(`${name} must be one of ${allowed.join(', ')}.`)
}
