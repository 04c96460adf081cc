import type { Database, TransactionHandle } from '@howdah/core'
import { sqlState } from '@howdah/core'
import type { JobSpec } from '../../add-options.js'
import { queueError } from '../../errors.js'
import type { JobInfo } from '../../operations/job-info.js'
import type { DeadLetter, WriteOptions } from '../../operations/operations.js'
import type { QueueStats } from '../../operations/stats.js'
import { invalid, whole } from '../../options.js'
import { TOTALS } from '../../sql/count-jobs.js'
import type { ResolvedWorkOptions } from '../../work-options.js'
import type { Running } from '../../worker/run-jobs.js'
import type { Worker } from '../../worker.js'
import { type Capability, type QueueEngine, unsupported } from '../engine.js'
import { closedError } from '../native.js'
import { installQueues } from './install.js'
import { type Envelope, envelope, notesOf, parseHeaders } from './message.js'
import type { Level, ResolvedPgmqOptions } from './options.js'
import {
  cancelMessage,
  clearMessages,
  countMessages,
  getMessage,
  lastMessages,
  redriveMessages,
  type StandingRow,
  send,
  totalMessages,
} from './statements.js'
import { PgmqWorker } from './worker.js'

const AT_ONCE = 1000
const MAX_LISTED = 1000

/**
 * Jobs as messages of pgmq, which must be installed: its functions and tables, by plain SQL on the caller's connections. Whatever else
 * sends to and reads from these queues goes on doing so.
 */
export class PgmqEngine<T> implements QueueEngine<T> {
  readonly name = 'pgmq'
  readonly capabilities: ReadonlySet<Capability> = new Set()
  readonly #db: Database
  readonly #queue: string
  readonly #options: ResolvedPgmqOptions
  readonly #workers = new Set<PgmqWorker<T>>()
  readonly #insert: (payload: string) => Promise<string>
  #opening: Promise<void> | undefined
  #closed = false

  constructor(db: Database, queue: string, options: ResolvedPgmqOptions) {
    this.#db = db
    this.#queue = queue
    this.#options = options
    let order = 0
    this.#insert = db.coalescer.operation({
      key: () => `pgmq:${queue}:${order++}`,
      bytes: (payload: string) => payload.length,
      run: (payloads) => this.addMany(payloads, null, undefined),
    })
  }

  async addOne(
    payload: string,
    spec: JobSpec,
    client: TransactionHandle | undefined,
  ): Promise<string> {
    if (spec !== null || client !== undefined) {
      return (await this.addMany([payload], spec, client))[0] as string
    }
    await this.#open()
    return this.#insert(payload)
  }

  async addMany(
    payloads: readonly string[],
    spec: JobSpec | readonly JobSpec[],
    client: TransactionHandle | undefined,
  ): Promise<string[]> {
    const each = Array.isArray(spec) ? (spec as readonly JobSpec[]) : undefined
    const groups = new Map<
      string,
      { level: Level; of: Envelope; at: number[]; headers: (string | null)[] }
    >()
    for (const at of payloads.keys()) {
      const of = envelope(each === undefined ? (spec as JobSpec) : (each[at] ?? null))
      const level = this.#level(of.priority)
      const key = `${level.queue} ${of.delayMs} ${of.runAtMs}`
      const group = groups.get(key) ?? { level, of, at: [], headers: [] }
      groups.set(key, group)
      group.at.push(at)
      group.headers.push(of.headers === null ? null : JSON.stringify(of.headers))
    }
    await this.#open()
    const ids: string[] = []
    const sendAll = async (within: TransactionHandle | undefined) => {
      for (const { level, of, at, headers } of groups.values()) {
        const texts = at.map((n) => payloads[n] as string)
        const given = headers.some((text) => text !== null) ? headers : null
        const { delayMs, runAtMs } = of
        const statement = send(this.#db.schema, level.queue, texts, given, delayMs, runAtMs)
        const rows = await this.#db.query(statement, within).catch(refusedPayload)
        for (const [n, row] of rows.entries()) ids[at[n] as number] = idOf(level, row.id)
      }
    }
    if (client !== undefined || groups.size === 1) await sendAll(client)
    else await this.#db.transaction((tx) => sendAll(tx))
    for (const worker of this.#workers) worker.wake()
    return ids
  }

  work(running: Running<T>, options: ResolvedWorkOptions): Worker {
    const worker = new PgmqWorker<T>(
      {
        db: this.#db,
        name: this.#queue,
        options: this.#options,
        running,
        open: () => this.#open(),
        onClosed: (closed) => this.#workers.delete(closed),
      },
      options,
    )
    this.#workers.add(worker)
    return worker
  }

  async stats(): Promise<QueueStats> {
    await this.#open()
    const counts = { waiting: 0, delayed: 0, running: 0 }
    let oldest: number | null = null
    let added = 0
    for (const { queue } of this.#options.levels) {
      const [total] = await this.#db.query(totalMessages(this.#db.schema, queue))
      added += total?.n ?? 0
      for (const row of await this.#db.query(countMessages(queue))) {
        counts[row.state] += row.n
        if (row.state === 'waiting') oldest = Math.max(oldest ?? 0, row.oldest)
      }
    }
    const dead = await this.#db.query(countMessages(this.#options.dead))
    return {
      ...counts,
      blocked: 0,
      dead: dead.reduce((sum, row) => sum + row.n, 0),
      paused: false,
      oldestAgeMs: oldest,
      rates: { added: Number.NaN, completed: Number.NaN, failed: Number.NaN },
      totals: {
        ...(Object.fromEntries(TOTALS.map((name) => [name, Number.NaN])) as QueueStats['totals']),
        added,
      },
    }
  }

  async get(id: string): Promise<JobInfo<T> | undefined> {
    await this.#open()
    const { level, message } = this.#parse(id)
    const [row] = await this.#db.query(getMessage(level.queue, message))
    return row === undefined ? undefined : this.#info(id, level, row)
  }

  async deadLetters({
    limit = 100,
  }: {
    readonly limit?: number | undefined
  }): Promise<DeadLetter<T>[]> {
    whole('limit', limit, 1, MAX_LISTED)
    await this.#open()
    const rows = await this.#db.query(lastMessages(this.#options.dead, limit))
    return rows.map((row) => {
      const notes = notesOf(parseHeaders(row.headers))
      return {
        id: row.id,
        payload: payloadOf<T>(row),
        attempts: notes.failures ?? 0,
        error: notes.error ?? null,
        addedAt: new Date(notes.added ?? row.addedAt),
        diedAt: new Date(row.addedAt),
      }
    })
  }

  redrive(ids: readonly string[] | undefined, options: WriteOptions): Promise<number> {
    const { dead, levels } = this.#options
    const main = levels.find(({ priority }) => priority === 0) as Level
    const queues = [main.queue, ...levels.map(({ queue }) => queue)]
    return this.#inBatches(options, () => redriveMessages(dead, deadIds(ids), AT_ONCE, queues))
  }

  purgeDead(ids: readonly string[] | undefined, options: WriteOptions): Promise<number> {
    return this.#inBatches(options, () => clearMessages(this.#options.dead, deadIds(ids), AT_ONCE))
  }

  async clear(options: WriteOptions): Promise<number> {
    let cleared = 0
    for (const { queue } of this.#options.levels) {
      cleared += await this.#inBatches(options, () => clearMessages(queue, null, AT_ONCE))
    }
    return cleared
  }

  async cancel(
    id: string,
    { client }: WriteOptions,
  ): Promise<'cancelled' | 'cancelling' | 'ended' | 'unknown'> {
    await this.#open()
    const { level, message } = this.#parse(id)
    const gone = await this.#db.query(cancelMessage(level.queue, message), client)
    if (gone.length > 0) return 'cancelled'
    const [row] = await this.#db.query(getMessage(level.queue, message), client)
    if (row === undefined) return 'unknown'
    throw unsupported('pgmq', 'way to cancel a job that runs')
  }

  async close(options: { readonly withinMs?: number }): Promise<void> {
    this.#closed = true
    await Promise.all([...this.#workers].map((worker) => worker.close(options)))
  }

  #open(): Promise<void> {
    if (this.#closed) return Promise.reject(closedError())
    this.#opening ??= installQueues(this.#db, this.#options).catch((error) => {
      this.#opening = undefined
      throw error
    })
    return this.#opening
  }

  #level(priority: number): Level {
    const level = this.#options.levels.find((each) => each.priority === priority)
    if (level !== undefined) return level
    throw invalid(
      `With the engine pgmq, priority must be one of engine.priorities: ${this.#options.levels.map((each) => each.priority).join(', ')}.`,
    )
  }

  #parse(id: string): { readonly level: Level; readonly message: string } {
    const [, priority = '0', message] = /^(?:(-?\d{1,2}):)?(\d{1,18})$/.exec(String(id)) ?? []
    if (message === undefined) throw invalid("A job's id must be one that add() has answered.")
    return { level: this.#level(Number(priority)), message }
  }

  #info(id: string, level: Level, row: StandingRow): JobInfo<T> {
    const notes = notesOf(parseHeaders(row.headers))
    const failures = notes.failures ?? 0
    const inHand = row.state === 'running' ? 1 : 0
    return {
      id,
      state: row.state,
      payload: payloadOf<T>(row),
      priority: level.priority,
      attempts: notes.attempts ?? this.#options.attempts,
      failures,
      crashes: Math.max(0, row.readCt - inHand - failures - (notes.free ?? 0)),
      addedAt: new Date(row.addedAt),
      runAt: row.state === 'delayed' ? new Date(row.visibleAt) : undefined,
      startedAt: undefined,
      finishedAt: undefined,
      output: undefined,
      error: notes.error,
      progress: undefined,
      key: undefined,
      group: undefined,
      worker: undefined,
    }
  }

  async #inBatches(
    { client }: WriteOptions,
    statement: () => Parameters<Database['query']>[0],
  ): Promise<number> {
    await this.#open()
    let total = 0
    for (;;) {
      const [row] = (await this.#db.query(statement(), client)) as { n: number }[]
      const n = row?.n ?? 0
      total += n
      if (n < AT_ONCE) return total
    }
  }
}

function idOf(level: Level, message: string): string {
  return level.priority === 0 ? message : `${level.priority}:${message}`
}

function payloadOf<T>({ message }: { readonly message: string | null }): T {
  return (message === null ? null : JSON.parse(message)) as T
}

function deadIds(ids: readonly string[] | undefined): readonly string[] | null {
  if (ids === undefined) return null
  if (Array.isArray(ids) && ids.every((id) => /^\d{1,18}$/.test(id))) return ids
  throw invalid('Ids must be an array of those that deadLetters() answers.')
}

/** pgmq keeps messages as jsonb, which holds less than JSON can say. */
function refusedPayload(error: unknown): never {
  if (sqlState(error) !== '22P05') throw error
  throw queueError(
    'QUEUE_INVALID_PAYLOAD',
    'With the engine pgmq, a payload holds no NUL (\\u0000), which jsonb cannot keep.',
    error,
  )
}
