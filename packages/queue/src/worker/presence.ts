/**
 * Says for all workers of this process on one database that they live.
 *
 * States of a member: entered -> alive -> (its row is gone: it was thought dead) lost, or left.
 *
 * Invariants
 * - Beats come from a thread with a connection of its own where that can be had. The main thread watches, and beats itself, through the
 *   pool, whenever nothing was heard of the thread for longer than two beats.
 * - A member is told to be lost at most once, and only by an answer to a beat that was asked for it.
 */
import { type Database, Loop } from '@howdah/core'
import { beat } from '../sql/workers.js'
import { type Beat, HeartbeatThread } from './heartbeat-thread.js'

/** A worker whose life is to be told. */
export interface Member {
  readonly id: string
  readonly leaseMs: number
  /** Somebody has cancelled these jobs. */
  onCancelled(ids: readonly string[]): void
  /** It was thought dead, and its jobs were given to others. */
  onLost(): void
  onError(error: unknown): void
}

/** Beats in one lease. */
const BEATS = 4

const byDatabase = new WeakMap<Database, Presence>()

/** The heartbeat of one process on one database. */
export class Presence {
  readonly #db: Database
  readonly #members = new Map<string, Member>()
  readonly #watch: Loop
  #thread: Promise<HeartbeatThread | undefined> | undefined
  #heardAt = 0
  #every = 1000

  private constructor(db: Database) {
    this.#db = db
    this.#watch = new Loop({
      interval: 1000,
      backoff: { initial: 50, max: 1000 },
      run: () => this.#look(),
      onError: (error) => {
        for (const member of this.#members.values()) member.onError(error)
      },
    })
  }

  static of(db: Database): Presence {
    let presence = byDatabase.get(db)
    if (presence === undefined) {
      presence = new Presence(db)
      byDatabase.set(db, presence)
    }
    return presence
  }

  /** Whether beats come from a thread of their own. */
  get offThread(): boolean {
    return this.#heardAt > 0 && performance.now() - this.#heardAt < 3 * this.#every
  }

  join(member: Member): void {
    this.#members.set(member.id, member)
    this.#changed()
    this.#watch.start()
  }

  async leave(id: string): Promise<void> {
    this.#members.delete(id)
    this.#changed()
    if (this.#members.size > 0) return
    const thread = this.#thread
    this.#thread = undefined
    this.#heardAt = 0
    await this.#watch.stop()
    await (await thread)?.stop()
  }

  #changed(): void {
    const leases = [...this.#members.values()].map((member) => member.leaseMs)
    this.#every = Math.min(10_000, ...leases) / BEATS
    if (this.#members.size === 0) return
    this.#thread ??= this.#start()
    void this.#thread.then((thread) => {
      const members = [...this.#members.values()].map(({ id, leaseMs }) => ({ id, leaseMs }))
      if (thread?.running) thread.set(members, this.#every)
    })
  }

  async #start(): Promise<HeartbeatThread | undefined> {
    const connection = await this.#db.connectionOptions().catch(() => undefined)
    if (connection === undefined) return undefined
    const statement = beat(this.#db.schema, [], []).text
    return HeartbeatThread.start({
      connection,
      statement,
      onBeat: (heard) => {
        this.#heardAt = performance.now()
        this.#heard(heard)
      },
    })
  }

  /** Beats where the thread does not. */
  async #look(): Promise<number> {
    const thread = await this.#thread
    if (thread !== undefined && !thread.running) this.#thread = undefined
    if (!this.offThread) {
      const asked = [...this.#members.values()]
      const ids = asked.map(({ id }) => id)
      const leases = asked.map(({ leaseMs }) => leaseMs)
      const rows = ids.length === 0 ? [] : await this.#db.query(beat(this.#db.schema, ids, leases))
      this.#heard({ at: 0, asked: ids, rows })
      if (this.#thread === undefined && this.#members.size > 0) this.#changed()
    }
    return this.#every
  }

  #heard({ asked, rows }: Beat): void {
    const alive = new Map(rows.map((row) => [row.worker, row.cancelled]))
    for (const id of asked) {
      const member = this.#members.get(id)
      if (member === undefined) continue
      const cancelled = alive.get(id)
      if (cancelled === undefined) member.onLost()
      else if (cancelled !== null) member.onCancelled(cancelled.split(','))
    }
  }
}
