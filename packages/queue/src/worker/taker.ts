/**
 * A worker's conversation with the server: what it asks for, when, and what it does with the answer.
 *
 * States: open -> closing (asks for nothing more, still tells what ended) -> closed.
 *
 * Invariants
 * - At most two statements are under way; a second one only for a good part of the places, so that one batch is fetched while another
 *   is worked on.
 * - Jobs running, and jobs asked for, are together never more than the places: those of this worker, and its share of a limit that all
 *   processes of the queue keep together.
 * - What ended is told with the next question, or by itself when there is none. A statement that failed is followed by another that tells
 *   the same once more.
 * - A search that came back short is followed by one that misses nothing (see `ranges.ts`) before the worker rests.
 */
import { type Database, tracer } from '@howdah/core'
import { FLAG } from '../flags.js'
import type { Job, JobHost } from '../job.js'
import { type HandedOver, handOver } from '../sql/hand-over.js'
import { settle, type Taken, take } from '../sql/take.js'
import type { Cadence } from './cadence.js'
import { type End, type Flush, Holding } from './holding.js'
import { parseJobs } from './parse.js'
import { RankFloors } from './ranges.js'

const takeTracer = tracer('@howdah/queue:take')

const MAX_LANES = 2
const MAX_JOBS = 500
/** A second statement is worth its cost from this many jobs. */
const SECOND_LANE_JOBS = 16
/** Payloads asked for at a time, by the size of those before. */
const MAX_BYTES = 16 * 1024 * 1024
/** A sweep that takes no longer is as good as a search, and spares a second one. */
const CHEAP_SWEEP_MS = 4
const PROMOTED_AT_ONCE = 1000
/** While there is work, whether something has become due is looked at so often. A worker that rests is told of what is scheduled. */
const LOOK_DUE_MS = 20
const RETRY_MS = 100

/** What the taker needs to know, and whom it tells. */
export interface TakerOptions<T> {
  readonly db: Database
  readonly queue: number
  readonly places: number
  /** Jobs of one claim at most; each claim of a batch handler is one batch. */
  readonly claimLimit: number
  readonly cadence: Cadence
  readonly host: JobHost
  /** Starts the jobs of one lease; calls `ended` for each of them. */
  start(jobs: readonly Job<T>[]): void
  /** Jobs have ended and the server knows. */
  settled(flush: Flush<Job<T>>, dead: ReadonlySet<string>, lost: ReadonlySet<string>): void
  /** A lease is somebody else's. */
  lost(jobs: readonly Job<T>[]): void
  /** The server does not know the worker, or has crashed. Asks for it to be registered again. */
  reenter(): Promise<void>
  /** Nothing is left to do for now. */
  rest(): void
  onError(error: unknown): void
}

/** How a question was asked. */
interface Question {
  readonly want: number
  readonly sweep: boolean
  readonly due: boolean
  readonly before: number
}

/** Claims and settles for one worker. */
export class Taker<T> {
  readonly #of: TakerOptions<T>
  readonly holding: Holding<Job<T>> = new Holding()
  readonly floors: RankFloors = new RankFloors()
  worker = ''
  /** Share of the limit for all processes; infinite without one. */
  slots: number = Number.POSITIVE_INFINITY
  /** Whether events are to be sent. */
  watched = false
  limited = false
  #running = 0
  #asked = 0
  #lanes = 0
  #more = true
  /** The last search found nothing, and nobody has rung since. It may look by itself meanwhile. */
  #resting = false
  #short = false
  #exclusive = false
  #exclusiveRunning = false
  #blockedUntil = 0
  #dueAt = Number.POSITIVE_INFINITY
  #lookDueAt = 0
  #lastSweepMs = 0
  #bytes = 256
  #scheduled = false
  #closing = false
  #timer: NodeJS.Timeout | undefined
  #onIdle: (() => void) | undefined

  constructor(of: TakerOptions<T>) {
    this.#of = of
  }

  /** Jobs that have been started and have not ended. */
  get running(): number {
    return this.#running
  }

  /** Jobs running or asked for. */
  get using(): number {
    return this.#running + this.#asked
  }

  /** Looks for jobs now, also for scheduled ones. */
  wake(): void {
    this.#resting = false
    this.#look()
  }

  #look(): void {
    this.#more = true
    this.#lookDueAt = 0
    this.schedule()
  }

  /** Whether it rests, with a place for a job and a lane to get it by. */
  get resting(): boolean {
    return (
      this.#resting &&
      !this.#closing &&
      this.#lanes < MAX_LANES &&
      this.worker !== '' &&
      !this.limited &&
      this.using < this.#of.places &&
      this.holding.waiting === 0 &&
      this.#of.cadence.quiet(performance.now())
    )
  }

  /** Adds a job for itself. Answers its id. */
  async handOver(payload: string): Promise<string> {
    const { db, queue } = this.#of
    this.#lanes++
    this.#asked++
    let asked = 1
    try {
      const statement = handOver(db.schema, queue, payload, this.worker, this.floors.ranges(true))
      const [row] = await db.query(statement)
      const { id, lease, jobs } = row as HandedOver
      this.#asked--
      asked = 0
      this.#of.cadence.active(performance.now())
      if (lease === null || jobs === null) this.wake()
      else this.#start({ lease, jobs, count: 1 })
      return id
    } finally {
      this.#asked -= asked
      this.#lanes--
      if (this.#lanes === 0) this.#onIdle?.()
      this.schedule()
    }
  }

  /** A job has ended. */
  ended(job: Job<T>, end: End): boolean {
    this.#running--
    if (this.#running === 0) this.#exclusiveRunning = false
    const held = this.holding.end(job.lease, job, end)
    // Where the last answer was full there is more to be had for the place that came free.
    this.schedule()
    return held
  }

  /** A lease is gone: its jobs end without a word. */
  lose(lease: string): void {
    const jobs = this.holding.lose(lease)
    if (jobs.length > 0) this.#of.lost(jobs)
  }

  /** Claims nothing more. Resolves when no statement is under way. */
  async stopClaiming(): Promise<void> {
    this.#closing = true
    clearTimeout(this.#timer)
    while (this.#lanes > 0) {
      await new Promise<void>((resolve) => {
        this.#onIdle = resolve
      })
    }
  }

  /** Tells what ended, without asking for more. */
  async flush(): Promise<void> {
    const flush = this.holding.take()
    if (flush.jobs.length === 0) return
    const { db, queue } = this.#of
    try {
      const [answer] = await db.query(settle(db.schema, queue, flush.ends))
      this.#told(flush, answer?.lost ?? null, answer?.dead ?? null)
    } catch (error) {
      this.holding.untold(flush)
      throw error
    }
  }

  /** Talks once what was called in this turn of the event loop is done. */
  schedule(): void {
    if (this.#scheduled || this.worker === '') return
    this.#scheduled = true
    setImmediate(() => {
      this.#scheduled = false
      this.#pump()
    })
  }

  #pump(): void {
    if (this.#closing) {
      if (this.#lanes === 0 && this.holding.waiting > 0) void this.#tell()
      return
    }
    while (this.#lanes < MAX_LANES) {
      const want = this.#wanted()
      if (this.#lanes > 0 && want < Math.max(SECOND_LANE_JOBS, this.#of.places / 4)) return
      if (want === 0 && this.holding.waiting === 0) return
      void this.#converse(want)
    }
  }

  #wanted(): number {
    if (!this.#more || performance.now() < this.#blockedUntil || this.#exclusiveRunning) return 0
    if (this.#exclusive && this.using > 0) return 0
    const { places, claimLimit } = this.#of
    const free = Math.min(places, this.slots) - this.using
    // Who only looks, keeps a place for a job that is handed over meanwhile.
    const spare = this.#resting && free > 1 ? 1 : 0
    const bySize = Math.max(1, Math.floor(MAX_BYTES / this.#bytes))
    // Two lanes share the places, so that one works while the other fetches.
    const share = places > 2 * SECOND_LANE_JOBS ? Math.ceil(places / MAX_LANES) : places
    return Math.max(0, Math.min(free - spare, claimLimit, bySize, share, MAX_JOBS))
  }

  async #converse(want: number): Promise<void> {
    const { db, queue } = this.#of
    const alone = this.using === 0
    this.#lanes++
    this.#asked += want
    let asked = want
    const flush = this.holding.take()
    const before = performance.now()
    const sweep =
      this.floors.sweepDue(before) || (this.#short && this.#lastSweepMs < CHEAP_SWEEP_MS)
    try {
      // Ends of its own may have scheduled something.
      const due = before >= this.#lookDueAt || flush.ends.ended !== null
      const [taken] = await takeTracer.run(
        () => ({ target: this.#of.host.queue, count: want }),
        () =>
          db.query(
            take(db.schema, {
              queue,
              worker: this.worker,
              want,
              alone,
              ranges: this.floors.ranges(sweep),
              dueAfter: due ? this.floors.due(sweep) : null,
              ...flush.ends,
            }),
          ),
      )
      this.#told(flush, taken?.lost ?? null, taken?.dead ?? null)
      this.#asked -= asked
      asked = 0
      if (taken !== undefined) await this.#heard(taken, { want, sweep, due, before })
    } catch (error) {
      this.holding.untold(flush)
      this.#blockedUntil = performance.now() + RETRY_MS * (0.5 + Math.random())
      this.#more = true
      this.#later(RETRY_MS * 2)
      this.#of.onError(error)
    } finally {
      this.#asked -= asked
      this.#lanes--
      if (this.#lanes === 0) this.#onIdle?.()
      this.schedule()
    }
  }

  async #heard(taken: Taken, { want, sweep, due, before }: Question): Promise<void> {
    const now = performance.now()
    this.watched = taken.watched
    if (taken.limited !== this.limited) {
      this.limited = taken.limited
      this.slots = taken.limited ? this.#running : Number.POSITIVE_INFINITY
    }
    const crashed = this.floors.enter(taken.epoch)
    if (!crashed) this.floors.claimed(taken.ranks, taken.seqs, taken.dueAfter)
    if (sweep) {
      this.#lastSweepMs = now - before
      this.floors.swept(now, this.#lastSweepMs)
    }
    if (due) {
      this.#dueAt = now + (taken.dueIn ?? Number.POSITIVE_INFINITY)
      this.#lookDueAt =
        taken.promoted === PROMOTED_AT_ONCE ? 0 : Math.min(this.#dueAt, now + LOOK_DUE_MS)
    }
    if (taken.waitIn !== null) this.#blockedUntil = now + taken.waitIn
    this.#exclusive = taken.state === 'exclusive'
    if (taken.count > 0) {
      this.#resting = false
      this.#of.cadence.active(now)
      this.#start(taken)
    }
    if (crashed || taken.state === 'unknown') await this.#of.reenter()
    if (want > 0) this.#next(taken, want, sweep, now)
  }

  #start(taken: Pick<Taken, 'lease' | 'jobs' | 'count'>): void {
    this.#bytes = (taken.jobs as string).length / taken.count
    const jobs = parseJobs<T>(taken, this.#of.host)
    this.holding.add(taken.lease as string, jobs)
    this.#running += jobs.length
    if (jobs.some((job) => job.flags & FLAG.exclusive)) this.#exclusiveRunning = true
    this.#of.start(jobs)
  }

  /** What follows an answer: another question, or rest until something happens. */
  #next(
    { state, count, waitIn, promoted, more }: Taken,
    want: number,
    sweep: boolean,
    now: number,
  ) {
    this.#short = count < want
    if (state === 'paused') this.#rest()
    else if (state === 'exclusive') this.#later(1000)
    else if (waitIn !== null) this.#later(waitIn)
    else if (!this.#short || more || state === 'unknown' || promoted === PROMOTED_AT_ONCE) {
      this.#more = true
    } else if (!sweep && (this.#lastSweepMs < CHEAP_SWEEP_MS || this.floors.sweepDue(now))) {
      this.#more = true
    } else this.#rest()
  }

  #rest(): void {
    this.#more = false
    this.#resting = true
    const wait = this.#of.cadence.wait()
    this.#later(Math.min(wait, Math.max(1, this.#dueAt - performance.now())))
    this.#of.rest()
  }

  #later(ms: number): void {
    clearTimeout(this.#timer)
    if (this.#closing) return
    this.#timer = setTimeout(
      () => {
        // A timer may fire a moment early, and then nothing would come after it.
        this.#blockedUntil = 0
        this.#look()
      },
      Math.min(ms, 2 ** 31 - 1),
    )
  }

  async #tell(): Promise<void> {
    this.#lanes++
    await this.flush().catch((error) => this.#of.onError(error))
    this.#lanes--
    if (this.#lanes === 0) this.#onIdle?.()
    if (this.holding.waiting > 0) setTimeout(() => this.schedule(), RETRY_MS)
  }

  #told(flush: Flush<Job<T>>, lost: string | null, dead: string | null): void {
    if (flush.jobs.length === 0) return
    const gone = new Set(lost?.split(',') ?? [])
    this.holding.told(flush)
    for (const lease of flush.leases) if (gone.has(`L${lease}`)) this.lose(lease)
    this.#of.settled(flush, new Set(dead?.split(',') ?? []), gone)
  }
}
