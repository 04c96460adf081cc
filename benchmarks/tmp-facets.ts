import { startPostgresUnderTest } from './src/servers/postgres.js'
import pg from 'pg'
import { existsSync } from 'node:fs'
import { corpus } from './src/suites/search-corpus.js'
import { facets } from './src/suites/search-facets.js'
const N = Number(process.argv[2] ?? 50000)
const server: any = await startPostgresUnderTest()
console.log(server.url ?? Object.keys(server))
const url = server.url ?? server.databaseUrl
const pool = new pg.Pool({ connectionString: url })
const made = corpus(N)
await pool.query('create table plain (id int primary key, title text, body text)')
let batch: any[] = []
for (const d of made.documents()) { batch.push({ ...d, body: d.body.split(' ').slice(0, 25).join(' ') }); if (batch.length < 2000 && d.id < N) continue
  await pool.query('insert into plain select * from unnest($1::int[], $2::text[], $3::text[])', [batch.map(d => d.id), batch.map(d => d.title), batch.map(d => d.body)]); batch = [] }
console.log('loaded', Date.now())
// shares with the short bodies
const t0 = Date.now()
const f = await pool.query(`select word, ndoc from ts_stat('select to_tsvector(''simple'', title || '' '' || body) from plain')`)
made.found.fill(0); const at = new Map(made.words.map((w: string, i: number) => [w, i])); for (const { word, ndoc } of f.rows) made.found[at.get(word) as number] = ndoc
const s = await facets({ pool: (o: any) => new pg.Pool({ connectionString: url, ...o }), onEnd() {} } as any, made, N)
console.log('attached', (Date.now() - t0) / 1000)
for (let r = 0; r < 3; r++) for (const c of [s.ours, ...s.peers] as any[]) { const { latencies } = await c.run(); console.log(c.name, latencies.map((x: number) => x.toFixed(0)).join(' ')) }
while (!existsSync('/tmp/stop-facets')) await new Promise((r) => setTimeout(r, 1000))
process.exit(0)
