import { startPostgres } from '@howdah/testkit'
import { Queue } from '@howdah/queue'
import { Database } from '@howdah/core'
import pg from 'pg'
const server = await startPostgres({ durable: true })
const d = await server.createDatabase()
const pool = new pg.Pool({ connectionString: d.url, max: 1 })
const payload = { data: 'x'.repeat(188) }
const q = new Queue<any>('lat', { pool }); await q.add(payload)
await pool.query('create table t(x int)')
const pct = (a: number[], p: number) => { const s = [...a].sort((x, y) => x - y); return s[Math.floor(s.length * p)]?.toFixed(2) }
const P = JSON.stringify(payload)
const variants: Record<string, () => Promise<any>> = {
  select1: () => pool.query({ name: 's', text: 'select 1' }),
  insert: () => pool.query({ name: 'i', text: 'insert into t values (1)' }),
  'insert+notify': () => pool.query({ name: 'in', text: `with a as (insert into t values (1)) select 1 from pg_notify('x','y')` }),
  queue_add: () => pool.query({ name: 'a', text: 'select howdah.queue_add(1, $1, null)', values: [P] }),
  cte: () => pool.query({ name: 'c', text: `with input as materialized (
      select nextval('howdah.queue_seq') as id, p.payload::json as payload from unnest(string_to_array($1, E'\\x1e')) with ordinality as p(payload,n)
    ), body as (
      insert into howdah.queue_job (id, added_at, queue, rank, flags, payload)
      select i.id, statement_timestamp(), 1, 0, 0, i.payload from input i
    ), place as (
      insert into howdah.queue_ready (seq, id, queue, rank, attempt, flags)
      select i.id, i.id, 1, 0, 0, 0 from input i
    ), counted as (
      insert into howdah.queue_tally (at, queue, waiting, added)
      select statement_timestamp(), 1, count(*), count(*) from input i
    )
    select string_agg(i.id::text, ',') from input i`, values: [P] }),
  'queue_add+notify': async () => { await pool.query('insert into howdah.queue_idle values (1,1,now()+interval \'1 h\') on conflict do nothing'); await new Promise((r) => setTimeout(r, 25)); const t = performance.now(); await pool.query({ name: 'a', text: 'select howdah.queue_add(1, $1, null)', values: [P] }); const e = performance.now() - t; await pool.query('delete from howdah.queue_idle'); return e },
}
const res: Record<string, number[]> = {}
for (let i = 0; i < 60; i++) for (const [n, f] of Object.entries(variants)) { const t = performance.now(); const r = await f(); (res[n] ??= []).push(typeof r === 'number' ? r : performance.now() - t); await new Promise((r) => setTimeout(r, 25)) }
for (const [n, a] of Object.entries(res)) console.log(n, pct(a, .5), pct(a, .9))
await q.close(); await Database.from(pool).close(); await pool.end(); await server.close()
