import type { Database } from '@howdah/core'
import type { JobInfo, ListOptions, Queue } from '@howdah/queue'
import { confirm } from '../confirm.js'
import type { CommonOptions } from '../connection.js'
import { type ActOptions, notFound, withPackage } from '../looking.js'
import { brief, duration, plain, properties, show, table, time } from '../output.js'
import { listQueues, listWorkers, type QueueRow } from '../sql/list-queues.js'

interface JobsOptions extends CommonOptions {
  readonly state: NonNullable<ListOptions['state']>
  readonly limit: number
  readonly after?: string
}
interface PurgeOptions extends ActOptions {
  readonly waiting?: boolean
}

export async function listAll(options: CommonOptions): Promise<void> {
  const queues = await withPackage('queue', options, (_, db) =>
    db.query(listQueues(db.schema, null)),
  )
  show(options.json, { queues }, () =>
    table(
      ['queue', 'waiting', 'delayed', 'blocked', 'running', 'dead', 'oldest', 'workers', ''],
      queues.map((row) => [
        row.name,
        row.waiting,
        row.delayed,
        row.blocked,
        row.running,
        row.dead,
        duration(row.oldest),
        row.workers,
        row.paused ? 'paused' : '',
      ]),
      'There are no queues.',
    ),
  )
}

export async function showQueue(name: string, options: CommonOptions): Promise<void> {
  const { stats, workers } = await withQueue(name, options, async (queue, db) => ({
    stats: await queue.stats(),
    workers: await db.query(listWorkers(db.schema, name)),
  }))
  show(options.json, { queue: name, ...stats, workers }, () => {
    const { rates, totals, oldestAgeMs, paused, ...counts } = stats
    const minute = Object.entries(rates).map(([what, n]) => `${what} ${n.toFixed(1)}/s`)
    const ever = Object.entries(totals).map(([what, n]) => `${what} ${n}`)
    return (
      properties([
        ['queue', name],
        ['state', paused ? 'paused' : 'running'],
        ...Object.entries(counts),
        ['oldest', duration(oldestAgeMs)],
        ['last minute', minute.join(', ')],
        ['in all', ever.join(', ')],
      ]) +
      table(
        ['worker', 'since', 'running'],
        workers.map((row) => [row.about, time(row.startedAt), row.running]),
        'Nobody works on it.',
      )
    )
  })
}

export async function jobs(name: string, options: JobsOptions): Promise<void> {
  const { state, limit, after } = options
  const list = await withQueue(name, options, (queue) => queue.list({ state, limit, after }))
  show(options.json, { queue: name, ...list }, () => {
    const more = list.next === undefined ? '' : `More: --after ${list.next}\n`
    return (
      table(
        ['id', 'state', 'priority', 'failures', 'added', 'payload', 'error'],
        list.jobs.map((job) => [
          job.id,
          job.state,
          job.priority,
          job.failures + job.crashes,
          time(job.addedAt),
          brief(job.payload, 60),
          (job.error ?? '').split('\n')[0]?.slice(0, 80),
        ]),
        `No job of ${plain(name)} is ${state}.`,
      ) + more
    )
  })
}

export async function showJob(name: string, id: string, options: CommonOptions): Promise<void> {
  const job = await withQueue(name, options, (queue) => queue.get(id))
  if (job === undefined) throw notFound(`job ${id} in queue '${name}'`, 'howdah queue jobs')
  show(options.json, { queue: name, job }, () => properties(describe(job)))
}

export async function retry(
  name: string,
  ids: readonly string[],
  options: ActOptions,
): Promise<void> {
  const retried = await withQueue(name, options, async (queue) => {
    if (ids.length === 0) {
      const { dead } = await queue.stats()
      if (dead > 0) await ask(options, `Run all ${dead} dead letters of '${name}' again?`)
    }
    return queue.redrive(ids.length === 0 ? undefined : ids)
  })
  show(options.json, { queue: name, retried }, () => `${retried} jobs run again.\n`)
}

export async function cancel(
  name: string,
  ids: readonly string[],
  options: ActOptions,
): Promise<void> {
  const results = await withQueue(name, options, async (queue) => {
    await ask(options, `Cancel ${ids.length} job(s) of '${name}'?`)
    const answers: { id: string; result: string }[] = []
    for (const id of ids) {
      // Cancelling goes by the id alone, and ids of other queues are not meant.
      const job = await queue.get(id)
      answers.push({ id, result: job === undefined ? 'unknown' : await queue.cancel(id) })
    }
    return answers
  })
  show(options.json, { queue: name, jobs: results }, () =>
    table(
      ['id', 'result'],
      results.map(({ id, result }) => [id, result]),
      'No job was named.',
    ),
  )
}

export async function pause(name: string, options: CommonOptions): Promise<void> {
  await withQueue(name, options, (queue) => queue.pause())
  show(options.json, { queue: name, paused: true }, () => `${plain(name)} is paused.\n`)
}

export async function resume(name: string, options: CommonOptions): Promise<void> {
  await withQueue(name, options, (queue) => queue.resume())
  show(options.json, { queue: name, paused: false }, () => `${plain(name)} goes on.\n`)
}

export async function purge(
  name: string,
  ids: readonly string[],
  options: PurgeOptions,
): Promise<void> {
  const { waiting = false } = options
  const purged = await withQueue(name, options, async (queue) => {
    const { dead, waiting: ready, delayed } = await queue.stats()
    const n = waiting ? ready + delayed : ids.length === 0 ? dead : ids.length
    const what = waiting ? 'jobs that wait or are delayed' : 'dead letters'
    if (n > 0) await ask(options, `Delete ${n} ${what} of '${name}' for good?`)
    if (waiting) return queue.clear()
    return queue.purgeDead(ids.length === 0 ? undefined : ids)
  })
  show(options.json, { queue: name, purged }, () => `${purged} jobs are deleted.\n`)
}

/** A queue object would make the queue, so it is looked for first. */
function withQueue<T>(
  name: string,
  options: CommonOptions,
  work: (queue: Queue, db: Database, row: QueueRow) => Promise<T>,
): Promise<T> {
  return withPackage('queue', options, async (module, db) => {
    const [row] = await db.query(listQueues(db.schema, name))
    if (row === undefined) throw notFound(`queue '${name}'`, 'howdah queue list')
    await using queue = new module.Queue(name, { pool: db })
    return await work(queue, db, row)
  })
}

async function ask({ yes = false }: ActOptions, question: string): Promise<void> {
  if (!yes) await confirm(question)
}

function describe(job: JobInfo<unknown>): [string, string | number][] {
  return Object.entries(job)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => {
      if (value instanceof Date) return [name, time(value)]
      if (typeof value === 'object' || name === 'payload') return [name, brief(value, 2000)]
      return [name, String(value)]
    })
}
