/**
 * A job queue in the PostgreSQL your application already runs.
 *
 * @packageDocumentation
 */

export type { StandardIssue, StandardResult, StandardSchema } from '@howdah/core'
export type { AddOptions, JobOptions, KeyOptions } from './add-options.js'
export type { Capability } from './engines/engine.js'
export type { PgmqOptions } from './engines/pgmq/options.js'
export type { QueueErrorCode } from './errors.js'
export { hotStatements } from './hot-statements.js'
export type {
  BatchHandler,
  BatchOutcome,
  ChildJob,
  Handler,
  Job,
  JobOutcome,
  TraceHeaders,
} from './job.js'
export { migrations } from './migrations/index.js'
export type { QueueEvents } from './operations/event-stream.js'
export type { FlowChild, FlowIds, FlowJob } from './operations/flow.js'
export type { JobInfo, JobList, JobState, ListOptions } from './operations/job-info.js'
export type { DeadLetter, RescheduleOptions, WriteOptions } from './operations/operations.js'
export type { ResultOptions } from './operations/results.js'
export type { QueueStats } from './operations/stats.js'
export type { KeepOptions, QueueOptions, RateLimit } from './options.js'
export { Discard, RetryLater } from './outcome.js'
export { Queue } from './queue.js'
export type {
  ScheduleInfo,
  ScheduleOptions,
  ScheduleRun,
  Schedules,
  ScheduleTime,
} from './schedules/schedules.js'
export type { WorkOptions } from './work-options.js'
export type { Worker, WorkerEvents } from './worker.js'
