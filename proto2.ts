import { startPostgres } from '@howdah/testkit'
import { Queue } from '@howdah/queue'
import { Database } from '@howdah/core'
import { tracingChannel } from 'node:diagnostics_channel'
import pg from 'pg'
const server = await startPostgres({ durable: true })
const d = await server.createDatabase()
const pool = new pg.Pool({ connectionString: d.url, max: 10 })
const payload = { data: 'x'.repeat(188) }
const times: number[] = []
tracingChannel('@howdah/queue:take').subscribe({
  start(c: any) { c.t = performance.now() }, end() {}, asyncStart(c: any) { times.push(performance.now() - c.t) }, asyncEnd() {}, error() {} })
const made: Queue<any>[] = []
const mk = (n: string) => { const q = new Queue<any>(n, { pool }); made.push(q); return q }
async function fill(q: Queue<any>, n: number, options = {}) {
  const batch = Array(5000).fill(payload); let left = n / 5000; const t = performance.now()
  await Promise.all(Array.from({ length: 3 }, async () => { while (left-- > 0) await q.addMany(batch, options) }))
  console.log(q.name, 'filled', n, Math.round(n / (performance.now() - t) * 1000), '/s')
}
async function drain(q: Queue<any>, n: number, concurrency: number) {
  let done = 0; let resolve!: () => void; const all = new Promise<void>((r) => { resolve = r })
  times.length = 0
  const t = performance.now()
  const w = q.work(() => { if (++done === n) resolve() }, { concurrency })
  w.on('error', (e) => console.log('ERR', e))
  await all; await w.close()
  times.sort((a, b) => a - b)
  console.log(q.name, 'drain', n, Math.round(n / (performance.now() - t) * 1000), '/s takes', times.length, 'p50', times[times.length >> 1]?.toFixed(2), 'p99', times[Math.floor(times.length * .99)]?.toFixed(2), 'max', times.at(-1)?.toFixed(1))
}
const a = mk('a')
await fill(a, 10000); await drain(a, 10000, 10)
await fill(a, 10000); await drain(a, 10000, 10)
await fill(a, 50000); await drain(a, 50000, 500)
const holder = new pg.Client({ connectionString: d.url }); await holder.connect()
await holder.query('begin isolation level repeatable read'); await holder.query('select count(*) from howdah.queue_job')
await fill(a, 200000); await drain(a, 200000, 500)
await fill(a, 10000); await drain(a, 10000, 10)
const a2 = mk('a'); await fill(a2, 10000); await drain(a2, 10000, 10)
await holder.query('commit')
// pinned by a writer
await pool.query('create table t(x int)'); await holder.query('begin'); await holder.query('insert into t values (1)')
await fill(a, 200000); await drain(a, 200000, 500)
await fill(a, 10000); await drain(a, 10000, 10)
await holder.query('commit')
const b = mk('b')
await fill(b, 300_000, { delay: '1d' })
await fill(b, 10000); await drain(b, 10000, 10)
const c = mk('c')
await fill(c, 10000); await drain(c, 10000, 500)
await fill(c, 300_000); await drain(c, 300_000, 500)
for (const q of made) await q.close(); await Database.from(pool).close(); await pool.end(); await holder.end(); await server.close()
