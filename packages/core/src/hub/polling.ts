/**
 * Notifications read from a table, for processes that cannot listen.
 *
 * States: entered -> (claim lost) -> entered anew, with a gap; -> closed.
 *
 * Invariants
 * - Each message that became visible after the first snapshot is handed on exactly once, in whatever order transactions
 *   commit: a read covers what is visible at its end and was not at the end of the read before.
 * - A read that fails is repeated from where the last good one ended, so an outage alone loses nothing.
 * - Senders keep messages for longer (`KEEP_MS`) than a poller trusts its claim (`LEASE_MS`). A poller that
 *   finds its claim gone enters anew and reports a gap.
 * - A transaction that was running when the poller entered may have sent without keeping. Once all of those have ended a
 *   gap is reported, so that what they committed is not missed.
 */

import { Loop } from '../loop.js'
import { coreMigrations } from '../migrations/core-migrations.js'
import { hubEnterPoller } from '../sql/hub-enter-poller.js'
import { hubFirstSnapshot } from '../sql/hub-first-snapshot.js'
import { hubKeepMessages } from '../sql/hub-keep-messages.js'
import { hubKeepPolling } from '../sql/hub-keep-polling.js'
import { hubPoll, type PollResult } from '../sql/hub-poll.js'
import { hubPrune } from '../sql/hub-prune.js'
import { hubStopPolling } from '../sql/hub-stop-polling.js'
import type { Statement } from '../statement.js'
import type { Transport, TransportContext } from './transport.js'
import { childOf, within } from './wait.js'

/** How long a poller that is not seen keeps its claim on messages. */
const LEASE_MS = 30_000
/** How long senders keep messages after a poller was seen. The difference makes up for pollers that renew at the same moment. */
const KEEP_MS = 60_000
/** How often a poller renews its claim and prunes. */
const RENEW_MS = 5_000
/** A query the pool has not answered by then is given up. */
const QUERY_MS = 10_000
/** How long closing may take. */
const FAREWELL_MS = 500
/** How much faster messages are read while they come. */
const BUSY_FACTOR = 5
const PAGE_BYTES = 4 * 1024 * 1024

let pollers = 0

/** Enters a poller. @throws what the database fails with */
export async function openPolling(context: TransportContext): Promise<Transport> {
  const { db, signal } = context
  await within(db.migrator.ensure(coreMigrations), QUERY_MS, 'The migration takes long.', signal)
  const polling = new Polling(context)
  try {
    await polling.start()
    return polling
  } catch (error) {
    await polling.close()
    throw error
  }
}

class Polling implements Transport {
  readonly kind = 'polling'
  readonly ended: Promise<unknown>
  readonly #context: TransportContext
  readonly #loop: Loop
  readonly #stop: AbortController
  readonly #unlink: () => void
  #id = ''
  #after = ''
  #until: string | null = null
  #page = '0'
  #entered = ''
  #unsettled = false
  #renewAt = 0
  #wait: number
  #aliveAt = Date.now()

  constructor(context: TransportContext) {
    this.#context = context
    const { controller, unlink } = childOf(context.signal)
    this.#stop = controller
    this.#unlink = unlink
    this.ended = new Promise((resolve) => {
      controller.signal.addEventListener('abort', () => resolve(undefined), { once: true })
    })
    this.#wait = context.db.options.hub.pollInterval
    this.#loop = new Loop({
      interval: this.#wait,
      backoff: { initial: this.#wait, max: Math.max(this.#wait, 5_000) },
      run: () => this.#round(),
      onError: context.onError,
    })
  }

  get lastAliveAt(): number {
    return this.#aliveAt
  }

  get identity(): string {
    return this.#id
  }

  get locks(): undefined {
    return undefined
  }

  async start(): Promise<void> {
    await this.#enter()
    this.#loop.start()
  }

  async close(): Promise<void> {
    this.#stop.abort(new Error('The hub was closed.'))
    this.#unlink()
    await this.#loop.stop()
    const { db, pool } = this.#context
    await pool.run(hubStopPolling(db.schema, this.#id), FAREWELL_MS).catch(() => {})
  }

  async #enter(): Promise<void> {
    const { schema } = this.#context.db
    // A new id each time, so that nothing said about an old claim touches the new one.
    this.#id = `${this.#context.hubId}.${++pollers}`
    await this.#query(hubKeepMessages(schema, KEEP_MS))
    const [entered] = await this.#query(hubEnterPoller(schema, this.#id))
    this.#entered = entered?.xid ?? '0'
    const [first] = await this.#query(hubFirstSnapshot(schema, this.#entered))
    this.#after = first?.snapshot ?? ''
    this.#unsettled = first?.unsettled ?? false
    this.#until = null
    this.#page = '0'
    this.#renewAt = performance.now() + RENEW_MS
  }

  async #round(): Promise<number> {
    const result = await this.#poll()
    if (result === undefined || !result.present) {
      await this.#enter()
      this.#context.onGap()
      return 0
    }
    this.#receive(result)
    if (this.#unsettled && result.settled) {
      this.#unsettled = false
      this.#context.onGap()
    }
    if (performance.now() >= this.#renewAt) await this.#renew()
    return this.#pace(result)
  }

  async #poll(): Promise<PollResult | undefined> {
    const cursor = {
      id: this.#id,
      after: this.#after,
      until: this.#until,
      page: this.#page,
      entered: this.#entered,
      leaseMs: LEASE_MS,
      pageBytes: PAGE_BYTES,
    }
    const [result] = await this.#query(hubPoll(this.#context.db.schema, cursor))
    return result
  }

  #receive({ messages, snapshot, more }: PollResult): void {
    this.#until = more === null ? null : snapshot
    this.#page = more ?? '0'
    if (more === null) this.#after = snapshot
    for (const notifications of messages) {
      for (const notification of notifications) this.#context.onNotification(notification)
    }
  }

  /** Changes nothing when the claim is gone; the next read finds out. */
  async #renew(): Promise<void> {
    const { schema } = this.#context.db
    await this.#query(hubKeepPolling(schema, this.#id, this.#after, LEASE_MS, KEEP_MS))
    await this.#query(hubPrune(schema, LEASE_MS))
    this.#renewAt = performance.now() + RENEW_MS
  }

  /** Fast while messages come, then slower step by step. */
  #pace({ messages, more }: PollResult): number {
    const idle = this.#context.db.options.hub.pollInterval
    if (more !== null) return 0
    this.#wait = messages.length > 0 ? idle / BUSY_FACTOR : Math.min(idle, this.#wait * 1.3)
    return this.#wait
  }

  async #query<Row>(statement: Statement<Row>): Promise<Row[]> {
    const rows = await this.#context.pool.run(statement, QUERY_MS, this.#stop.signal)
    this.#aliveAt = Date.now()
    return rows
  }
}
