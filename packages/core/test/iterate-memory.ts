/**
 * Run by iterate.test.ts with `--expose-gc`: streams rows of 1 kB and reports how much memory was held at most, in bytes.
 * `argv`: the kind of database, its URL, how many rows, the batch size.
 */
import { PGlite } from '@electric-sql/pglite'
import { Pool } from 'pg'
import { Database, type Statement } from '../src/index.js'

const [kind, url, rowCount, batchSize] = process.argv.slice(2)
const source = kind === 'pglite' ? new PGlite() : new Pool({ connectionString: url })
const db = Database.from(source)
const statement: Statement<{ n: number; text: string }> = {
  name: 'howdah.test.stream',
  text: `select n, repeat(md5(n::text), 32) as text from generate_series(1, $1::int) n`,
  values: [Number(rowCount)],
}

function held(): number {
  globalThis.gc?.()
  const { heapUsed, external } = process.memoryUsage()
  // PGlite's own memory, which holds the server, is one ArrayBuffer and not what is measured here.
  return kind === 'pglite' ? heapUsed : heapUsed + external
}

let rows = 0
let most = 0
let wrong = 0
await db.query({ ...statement, name: 'howdah.test.warm', values: [1] })
const before = held()
for await (const { n, text } of db.iterate(statement, { batchSize: Number(batchSize) })) {
  rows++
  if (n !== rows || text.length !== 1024) wrong++
  if (rows % 5_000 === 0) most = Math.max(most, held() - before)
}
process.stdout.write(JSON.stringify({ rows, most, wrong }))
await db.close()
await ('waitReady' in source ? source.close() : source.end())
