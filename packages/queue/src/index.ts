/**
 * A job queue in the PostgreSQL your application already runs.
 *
 * @packageDocumentation
 */
export type { QueueErrorCode } from './errors.js'
export type { DeadLetter, Handler, Job, QueueStats } from './job.js'
export { migrations } from './migrations/index.js'
export type { AddOptions, QueueOptions, WorkOptions } from './options.js'
export { Queue } from './queue.js'
export { Worker, type WorkerEvents } from './worker.js'
