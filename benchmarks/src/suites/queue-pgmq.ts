import { readFileSync } from 'node:fs'
import { Queue } from '@howdah/queue'
import type { Pool } from 'pg'
import type { Context, RunContender, Scenario } from '../suite.js'
import { draining, fill, howdahQueue } from './queue-contenders.js'
import type { JobQueue } from './queue-peers.js'

const BATCH = 500

/** The engine pgmq beside a bare loop over pgmq's functions, and beside our own engine. Where there is no pgmq, that is said. */
export async function againstPgmq(context: Context): Promise<Scenario[]> {
  const jobs = 50_000 * (context.quick ? 0.2 : 1)
  const pool = context.pool({ max: 10 })
  if (!(await installPgmq(pool))) {
    context.missing(
      'pgmq_engine_vs_raw_pgmq and native_vs_pgmq: this server has no pgmq, and PGMQ_SQL names no file with its SQL',
    )
    return []
  }
  const title = 'Draining a queue of jobs of 200 bytes, a handler that does nothing'
  return [
    {
      figure: 'pgmq_engine_vs_raw_pgmq',
      title,
      callers: 1,
      ours: draining(pgmqQueue(context, pool, 'bench_engine'), jobs, BATCH),
      peers: [await bareLoop(pool, pgmqQueue(context, pool, 'bench_raw'), 'bench_raw', jobs)],
    },
    {
      figure: 'native_vs_pgmq',
      title,
      callers: 1,
      ours: draining(howdahQueue(context, 'beside-pgmq'), jobs, BATCH),
      peers: [draining(pgmqQueue(context, pool, 'bench_beside'), jobs, BATCH)],
    },
  ]
}

async function installPgmq(pool: Pool): Promise<boolean> {
  const file = process.env['PGMQ_SQL']
  if (file !== undefined && file !== '') {
    await pool.query(readFileSync(file, 'utf8'))
    return true
  }
  const { rows } = await pool.query(`select 1 from pg_available_extensions where name = 'pgmq'`)
  if (rows.length > 0) await pool.query('create extension pgmq')
  return rows.length > 0
}

function pgmqQueue({ onEnd }: Context, pool: Pool, name: string): JobQueue {
  const queue = new Queue<object>(name, { pool, engine: 'pgmq' })
  onEnd(() => queue.close())
  return {
    name: '@howdah/queue, engine pgmq',
    add: (payload) => queue.add(payload),
    addMany: (payloads) => queue.addMany(payloads),
    async work(onJob, concurrency) {
      const worker = queue.work((job) => onJob(job.payload), { concurrency })
      return () => worker.close()
    },
  }
}

/** Reads and deletes on one connection, batch by batch. */
async function bareLoop(
  pool: Pool,
  filled: JobQueue,
  queue: string,
  jobs: number,
): Promise<RunContender> {
  await fill(filled, 1)
  await pool.query('select pgmq.purge_queue($1)', [queue])
  return {
    name: `pgmq.read and pgmq.delete, batches of ${BATCH}`,
    prepare: () => fill(filled, jobs),
    async run() {
      const client = await pool.connect()
      let count = 0
      try {
        while (count < jobs) {
          const { rows } = await client.query<{ msg_id: string }>({
            name: 'read',
            text: 'select * from pgmq.read($1, 30, $2)',
            values: [queue, BATCH],
          })
          const ids = rows.map((row) => row.msg_id)
          await client.query({
            name: 'delete',
            text: 'select pgmq.delete($1, $2::bigint[])',
            values: [queue, ids],
          })
          count += rows.length
        }
      } finally {
        client.release()
      }
      return { count }
    },
  }
}
