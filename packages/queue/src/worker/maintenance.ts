/**
 * What a worker does beside its jobs, each a supervised loop:
 * - seal: proves where nothing is left to be found, while jobs flow;
 * - places: asks for its share of a limit that all processes keep together;
 * - housekeeping: makes the jobs of dead workers run again, compares what it holds, sweeps history, folds the tally. Any process may
 *   do it for all.
 */
import { type Database, Loop } from '@howdah/core'
import { compactTally, sweepHistory } from '../sql/housekeeping.js'
import { seal } from '../sql/seal.js'
import { askPlaces, reconcile, rescue } from '../sql/workers.js'
import type { Taker } from './taker.js'

const SEAL_EVERY_MS = 250
const PLACES_EVERY_MS = 500
const SWEPT_AT_ONCE = 2000

export interface MaintenanceOptions<T> {
  readonly db: Database
  readonly queue: number
  readonly taker: Taker<T>
  readonly leaseMs: number
  readonly places: number
  onError(error: unknown): void
}

/** The background of one worker. */
export class Maintenance<T> {
  readonly #of: MaintenanceOptions<T>
  readonly #loops: { readonly seal: Loop; readonly places: Loop; readonly housekeeping: Loop }
  #closing = false

  constructor(of: MaintenanceOptions<T>) {
    this.#of = of
    const loop = (interval: number, run: () => Promise<number | undefined>) =>
      new Loop({ interval, run, onError: of.onError, backoff: { initial: 100, max: 5000 } })
    this.#loops = {
      seal: loop(SEAL_EVERY_MS, () => this.#seal()),
      places: loop(PLACES_EVERY_MS, () => this.#askPlaces()),
      housekeeping: loop(Math.min(of.leaseMs / 3, 10_000), () => this.#keepHouse()),
    }
  }

  start(): void {
    for (const loop of Object.values(this.#loops)) loop.start()
  }

  async stop(): Promise<void> {
    this.#closing = true
    await Promise.all(Object.values(this.#loops).map((loop) => loop.stop()))
  }

  /** Asks for a share of the limit at once. */
  askPlaces(): void {
    this.#loops.places.wake()
  }

  /** Compares at once what is held with what the server knows. */
  keepHouse(): void {
    this.#loops.housekeeping.wake()
  }

  async #seal(): Promise<undefined> {
    const { db, queue, taker } = this.#of
    if (!taker.floors.stale(performance.now())) return
    const question = taker.floors.question(queue)
    const [answer] = await db.query(seal(db.schema, question))
    if (answer !== undefined) taker.floors.answer(question, answer, performance.now())
  }

  async #askPlaces(): Promise<undefined> {
    const { db, queue, taker, places } = this.#of
    if (!taker.limited || this.#closing) return
    // Nothing is claimed beyond what is said here while the answer is on its way.
    const uses = taker.using
    taker.slots = Math.min(taker.slots, uses)
    const [answer] = await db.query(askPlaces(db.schema, queue, taker.worker, places, uses))
    if (answer === undefined || !taker.limited) return
    taker.slots = answer.places
    taker.wake()
  }

  async #keepHouse(): Promise<number | undefined> {
    const { db, queue, taker, leaseMs } = this.#of
    await db.query(rescue(db.schema, leaseMs))
    const known = taker.holding.leases
    const [answer] = await db.query(reconcile(db.schema, taker.worker, known, leaseMs))
    for (const lease of answer?.lost?.split(',') ?? []) taker.lose(lease)
    await db.query(compactTally(db.schema, queue))
    const [swept] = await db.query(sweepHistory(db.schema, queue, SWEPT_AT_ONCE))
    return swept?.more === true ? 50 : undefined
  }
}
