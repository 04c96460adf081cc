/**
 * Prints the size of the cache's table each 30 seconds of a mixed load. By hand: `npx tsx packages/cache/test/growth.ts 10` for ten
 * minutes.
 */
import { startPostgres } from '@howdah/testkit'
import pg from 'pg'
import { Cache } from '../src/index.js'
import { mixedLoad, sizeOf } from './mixed-load.js'

const minutes = Number(process.argv[2] ?? 10)
const server = await startPostgres()
const pool = new pg.Pool({ connectionString: server.url })
const cache = new Cache({ pool })
await cache.has('opened')
const start = performance.now()
const passed = () => (performance.now() - start) / 60_000
const print = async () => {
  const { bytes, heap, rows, dead } = await sizeOf(pool)
  const sizes = [bytes, heap].map((size) => (size / 2 ** 20).toFixed(1))
  process.stdout.write(
    `${passed().toFixed(1)} min  ${sizes[0]} MiB, ${sizes[1]} without indexes  ${rows} rows  ${dead} dead\n`,
  )
}
const timer = setInterval(() => void print(), 30_000)
const calls = await mixedLoad(cache, 5_000, () => passed() >= minutes)
clearInterval(timer)
await print()
process.stdout.write(`${Math.round(calls / passed() / 60)} calls a second\n`)
await cache.close()
await pool.end()
await server.close()
