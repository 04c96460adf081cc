import { startPostgres } from '@howdah/testkit'
import { Queue } from '@howdah/queue'
import { Database } from '@howdah/core'
import pg from 'pg'
const server = await startPostgres({ durable: true })
const d = await server.createDatabase()
const pool = new pg.Pool({ connectionString: d.url, max: 10 })
const payload = { data: 'x'.repeat(188) }
const q = new Queue<any>('lat', { pool })
let start = 0; const lat: number[] = [], addT: number[] = [], ring: number[] = []
const db = Database.from(pool)
const w = q.work(() => { lat.push(performance.now() - start) }, { concurrency: 10 })
w.on('error', console.log)
await new Promise((r) => setTimeout(r, 1500))
await db.hub.register('queue', { onMessage() { ring.push(performance.now() - start) }, onGap() {} })
const pct = (a: number[], p: number) => { const s = [...a].sort((x, y) => x - y); return s[Math.floor(s.length * p)]?.toFixed(2) }
for (let i = 0; i < 200; i++) { start = performance.now(); await q.add(payload); addT.push(performance.now() - start); await new Promise((r) => setTimeout(r, 50)) }
console.log('start p50', pct(lat, .5), 'p99', pct(lat, .99), 'add p50', pct(addT, .5), 'ring p50', pct(ring, .5), lat.length, ring.length)
const t0: number[] = []; for (let i = 0; i < 100; i++) { const t = performance.now(); await pool.query({ name: 's', text: 'select 1' }); t0.push(performance.now() - t); await new Promise((r) => setTimeout(r, 50)) }
console.log('select 1', pct(t0, .5))
await pool.query('create table t(x int)')
const t1: number[] = []; for (let i = 0; i < 100; i++) { const t = performance.now(); await pool.query({ name: 'i', text: 'insert into t values (1)' }); t1.push(performance.now() - t); await new Promise((r) => setTimeout(r, 50)) }
console.log('insert', pct(t1, .5))
await q.close(); await db.close(); await pool.end(); await server.close()
