import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { Queue as BullQueue, Worker as BullWorker, createPostgresBackend } from 'bullmq'
import type { Context } from '../suite.js'

/** What a queue can do, for the measurements. */
export interface JobQueue {
  readonly name: string
  add(payload: object): Promise<unknown>
  addMany(payloads: readonly object[]): Promise<unknown>
  /** Works with so many places until the function it answers is called, which resolves once all ends are told to the server. */
  work(onJob: (payload: unknown) => void, concurrency: number): Promise<() => Promise<void>>
}

/** BullMQ on Redis; jobs that ended are removed, which is what it does least. */
export function bullRedis({ onEnd }: Context, redisUrl: string, name: string): JobQueue {
  const { hostname, port, password } = new URL(redisUrl)
  const connection = {
    host: hostname,
    port: Number(port || 6379),
    ...(password ? { password } : {}),
  }
  const queue = new BullQueue(name, { connection })
  onEnd(() => queue.close())
  return bull('BullMQ on Redis', queue, (onJob, concurrency) => {
    return new BullWorker(name, async (job) => onJob(job.data), { connection, concurrency })
  })
}

/** BullMQ on PostgreSQL. */
export function bullPostgres({ databaseUrl, onEnd }: Context, name: string): JobQueue {
  const connection = { connectionString: databaseUrl, max: 20, migrate: true }
  const queue = new BullQueue(name, { connection }, createPostgresBackend)
  onEnd(() => queue.close())
  return bull('BullMQ on PostgreSQL', queue as unknown as BullQueue, (onJob, concurrency) => {
    const options = { connection, concurrency }
    return new BullWorker(
      name,
      async (job) => onJob(job.data),
      options,
      createPostgresBackend,
    ) as unknown as BullWorker
  })
}

function bull(
  name: string,
  queue: BullQueue,
  start: (onJob: (payload: unknown) => void, concurrency: number) => BullWorker,
): JobQueue {
  queue.on('error', () => {})
  return {
    name,
    add: (payload) => queue.add('job', payload),
    addMany: (payloads) => queue.addBulk(payloads.map((data) => ({ name: 'job', data }))),
    async work(onJob, concurrency) {
      const worker = start(onJob, concurrency)
      worker.on('error', () => {})
      await worker.waitUntilReady()
      return () => worker.close()
    },
  }
}

interface Boss {
  on(event: 'error', listener: () => void): void
  start(): Promise<unknown>
  stop(options: object): Promise<void>
  createQueue(name: string, options?: object): Promise<void>
  send(name: string, data: object): Promise<unknown>
  insert(name: string, jobs: readonly { data: object }[]): Promise<unknown>
  work(
    name: string,
    options: object,
    handler: (jobs: { data: unknown }[]) => Promise<void>,
  ): Promise<string>
  offWork(name: string, options: object): Promise<void>
}

/** pg-boss, in batches that it fetches one after another while there are any: its fastest way. */
export async function pgBoss({ databaseUrl, onEnd }: Context, name: string): Promise<JobQueue> {
  const { PgBoss } = (await peer('pg-boss', 'dist/index.js')) as {
    PgBoss: new (options: object) => Boss
  }
  const boss = new PgBoss({ connectionString: databaseUrl, max: 10, useListenNotify: true })
  boss.on('error', () => {})
  await boss.start()
  onEnd(() => boss.stop({ graceful: false }))
  await boss.createQueue(name, { notify: true })
  return {
    name: 'pg-boss',
    add: (payload) => boss.send(name, payload),
    addMany: (payloads) =>
      boss.insert(
        name,
        payloads.map((data) => ({ data })),
      ),
    async work(onJob, concurrency) {
      // Four that fetch batches were its best here; one place for each job would poll for each.
      const batchSize = Math.max(1, Math.ceil(concurrency / 4))
      const options = {
        batchSize,
        localConcurrency: Math.min(4, concurrency),
        pollingIntervalSeconds: 0.5,
        burstWhenBatchFull: batchSize > 1,
      }
      await boss.work(name, options, async (jobs) => {
        for (const job of jobs) onJob(job.data)
      })
      return () => boss.offWork(name, { wait: true })
    },
  }
}

interface Graphile {
  makeWorkerUtils(options: object): Promise<{
    migrate(): Promise<void>
    addJob(name: string, payload: object, spec?: object): Promise<unknown>
    addJobs(jobs: readonly { identifier: string; payload: object }[]): Promise<unknown>
    release(): Promise<void>
  }>
  run(options: object): Promise<{ stop(): Promise<void> }>
  Logger: new (factory: () => () => void) => unknown
}

/** graphile-worker: plain, or with the local queue and batched ends that make it fastest. */
export async function graphile(
  { databaseUrl, onEnd }: Context,
  task: string,
  fastest: boolean,
): Promise<JobQueue> {
  const { makeWorkerUtils, run, Logger } = (await peer(
    'graphile-worker',
    'dist/index.js',
  )) as Graphile
  const logger = new Logger(() => () => {})
  // Each its own schema, for one worker serves all tasks of a schema.
  const schema = `graphile_${task.replaceAll(/\W/g, '_')}`
  const utils = await makeWorkerUtils({ connectionString: databaseUrl, schema, logger })
  await utils.migrate()
  onEnd(() => utils.release())
  return {
    name: fastest ? 'graphile-worker, local queue and batches' : 'graphile-worker',
    add: (payload) => utils.addJob(task, payload),
    addMany: (payloads) =>
      utils.addJobs(payloads.map((payload) => ({ identifier: task, payload }))),
    async work(onJob, concurrency) {
      const worker = {
        connectionString: databaseUrl,
        schema,
        concurrentJobs: concurrency,
        maxPoolSize: 10,
        ...(fastest
          ? { localQueue: { size: 4_000 }, completeJobBatchDelay: 0, failJobBatchDelay: 0 }
          : {}),
      }
      const runner = await run({
        preset: { worker },
        logger,
        noHandleSignals: true,
        taskList: { [task]: async (payload: unknown) => onJob(payload) },
      })
      return () => runner.stop()
    },
  }
}

/**
 * Loads a peer that declares a newer Node than this repository is held to; npm installs those and only warns.
 *
 * @see benchmarks/peers/package.json
 */
async function peer(name: string, main: string): Promise<unknown> {
  const folder = fileURLToPath(new URL('../../peers/', import.meta.url))
  if (!existsSync(`${folder}node_modules/${name}`)) {
    await promisify(execFile)('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], {
      cwd: folder,
    })
  }
  return import(new URL(`node_modules/${name}/${main}`, `file://${folder}`).href)
}
