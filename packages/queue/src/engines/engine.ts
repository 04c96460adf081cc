/**
 * What keeps the jobs of a queue. An engine is chosen when a queue is made, and never changed for another by itself.
 *
 * Every engine adds, works, counts and looks after dead letters; what more it can do it declares, and the suite of conformance that all
 * of them run asks of it just that.
 */
import type { TransactionHandle } from '@howdah/core'
import type { JobSpec } from '../add-options.js'
import { queueError } from '../errors.js'
import type { JobInfo } from '../operations/job-info.js'
import type { DeadLetter, WriteOptions } from '../operations/operations.js'
import type { QueueStats } from '../operations/stats.js'
import type { ResolvedWorkOptions } from '../work-options.js'
import type { Running } from '../worker/run-jobs.js'
import type { Worker } from '../worker.js'

/** What engines may differ in. */
export type Capability =
  | 'keys'
  | 'groups'
  | 'limits'
  | 'anyPriority'
  | 'expiry'
  | 'flows'
  | 'steps'
  | 'progress'
  | 'results'
  | 'events'
  | 'list'
  | 'pause'
  | 'reschedule'
  | 'cancelRunning'
  | 'schedules'
  | 'offThreadHeartbeat'

/** The engines there are. */
export type EngineName = 'native' | 'pgmq'

/** An engine, as a queue uses it. */
export interface QueueEngine<T> {
  readonly name: EngineName
  readonly capabilities: ReadonlySet<Capability>
  /** Adds one job; calls made at the same time may share a statement. Answers its id. */
  addOne(payload: string, spec: JobSpec, client: TransactionHandle | undefined): Promise<string>
  /** Adds jobs, all or none, with options for all or for each. Answers their ids in order. */
  addMany(
    payloads: readonly string[],
    spec: JobSpec | readonly JobSpec[],
    client: TransactionHandle | undefined,
  ): Promise<string[]>
  work(running: Running<T>, options: ResolvedWorkOptions): Worker
  stats(): Promise<QueueStats>
  get(id: string): Promise<JobInfo<T> | undefined>
  deadLetters(options: { readonly limit?: number | undefined }): Promise<DeadLetter<T>[]>
  redrive(ids: readonly string[] | undefined, options: WriteOptions): Promise<number>
  purgeDead(ids: readonly string[] | undefined, options: WriteOptions): Promise<number>
  clear(options: WriteOptions): Promise<number>
  cancel(
    id: string,
    options: WriteOptions,
  ): Promise<'cancelled' | 'cancelling' | 'ended' | 'unknown'>
  /** Closes its workers, and frees what it holds. */
  close(options: { readonly withinMs?: number }): Promise<void>
}

/** @throws {@link HowdahError} QUEUE_UNSUPPORTED */
export function unsupported(engine: EngineName, what: string): Error {
  return queueError(
    'QUEUE_UNSUPPORTED',
    `The engine ${engine} has no ${what}. Leave it out, or use the engine native for this queue.`,
  )
}
