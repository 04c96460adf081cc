import { Database } from '@howdah/core'
import type { Pool } from 'pg'
import type { Context, RunContender, Scenario } from '../suite.js'
import { fill, howdahQueue, PAYLOAD } from './queue-contenders.js'

const WRITERS = 16
const ROUND_MS = 2_000

/** What it costs those who add in transactions of their own that workers are to hear of it. */
export async function writersOverhead(context: Context): Promise<Scenario> {
  const shared = context.pool({ max: WRITERS + 10 })
  await shared.query(
    'create table if not exists written (id bigint generated always as identity, at timestamptz)',
  )
  const heard = howdahQueue(context, 'writers-heard', shared)
  const silent = howdahQueue(context, 'writers-silent', Database.from(shared, { schema: 'silent' }))
  await fill(silent, 1)
  // There no worker is ever known to sleep, so nobody is told of anything: workers look by themselves.
  await shared.query(
    `create function silent.nobody_sleeps() returns trigger language plpgsql as 'begin return null; end'`,
  )
  await shared.query(
    `create trigger nobody_sleeps before insert on silent.queue_idle for each row execute function silent.nobody_sleeps()`,
  )
  return {
    figure: 'writers_notify_overhead',
    title: `${WRITERS} writers that each insert a row and add a job in one transaction, beside a worker that does them`,
    callers: WRITERS,
    ours: writing('as it is', shared, heard),
    peers: [writing('without any notification', shared, silent)],
  }
}

function writing(
  name: string,
  pool: Pool,
  { queue, work }: ReturnType<typeof howdahQueue>,
): RunContender {
  let stop: () => Promise<void> = async () => {}
  return {
    name,
    async prepare() {
      await queue.clear()
      stop = await work(() => {}, 100)
    },
    async run() {
      const latencies: number[] = []
      const end = performance.now() + ROUND_MS
      const writer = async () => {
        const client = await pool.connect()
        try {
          for (let before = performance.now(); before < end; ) {
            await client.query('begin')
            await client.query({ name: 'write', text: 'insert into written (at) values (now())' })
            await queue.add(PAYLOAD, { client })
            await client.query('commit')
            const after = performance.now()
            latencies.push(after - before)
            before = after
          }
        } finally {
          client.release()
        }
      }
      await Promise.all(Array.from({ length: WRITERS }, writer))
      return { count: latencies.length, latencies }
    },
    finish: () => stop(),
  }
}
