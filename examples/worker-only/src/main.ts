/**
 * A process that only works: jobs that others add, from TypeScript or by `select howdah.enqueue(...)`, and one that a schedule adds. Start as many as you like.
 * Needs `DATABASE_URL`; on `PORT` (9090 unless it is given) it answers `/health` and `/metrics`.
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Database } from '@howdah/core'
import { metrics } from '@howdah/core/metrics'
import { Discard, Queue } from '@howdah/queue'
import { Pool } from 'pg'

interface Picture {
  readonly name: string
  readonly width: number
}

const pool = new Pool({ connectionString: process.env['DATABASE_URL'], max: 5 })
const db = Database.from(pool)
const pictures = new Queue<Picture>('pictures', { pool, attempts: 3, backoff: '1s' })
const cleaning = new Queue<{ olderThan: string }>('cleaning', { pool })
const measured = metrics([db.hub, pictures, cleaning])

const worker = pictures.work(
  async (job) => {
    const { name, width } = job.payload
    // It cannot become right by trying again.
    if (!(width > 0)) throw new Discard(`${name} cannot be ${width} wide.`)
    // Aborted when the process is to end and has waited long enough, or when the job was cancelled.
    job.signal.throwIfAborted()
    return { name, pixels: width * Math.round((width * 2) / 3) }
  },
  { concurrency: 10 },
)
worker.on('completed', (job) => console.log(`done: ${(job.payload as Picture).name}`))
worker.on('failed', (job, error, dead) => {
  console.log(`${dead ? 'gave up' : 'will try again'}: ${(job.payload as Picture).name}: ${error}`)
})
worker.on('error', (error) => console.error('in the background:', error))

cleaning.work(async (job) => console.log(`cleaned what is older than ${job.payload.olderThan}`))
// All processes may say so: each night it runs once.
await cleaning.schedule('nightly', '0 3 * * *', { olderThan: '30d' }, { timezone: 'UTC' })

const server = createServer(async (request, response) => {
  if (request.url === '/metrics') return measured.handler(request, response)
  if (request.url !== '/health') return void response.writeHead(404).end()
  const alive = await pool.query('select 1').then(
    () => true,
    () => false,
  )
  response.writeHead(alive ? 200 : 503).end(alive ? 'ok' : 'no database')
})
server.listen(Number(process.env['PORT'] ?? 9090), () => {
  console.log(`Working; see http://localhost:${(server.address() as AddressInfo).port}/metrics`)
})

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => void stop())

let stopping = false
async function stop(): Promise<void> {
  if (stopping) return
  stopping = true
  // Jobs that are not done within ten seconds go back to the queue, and another worker has them.
  await Promise.all([pictures.close({ withinMs: 10_000 }), cleaning.close({ withinMs: 10_000 })])
  measured.close()
  server.closeAllConnections()
  server.close()
  await db.close()
  await pool.end()
}
