/**
 * Every look that the command takes, on tables that are full. `HOWDAH_SCALE=1000000 npm test -- packages/cli/test/scale.test.ts` fills them with a
 * million rows each, holds every statement to 100 ms, and prints what it measured: of each run the statement that took longest, and of nine runs
 * the one in the middle. It takes opening the connection with it, which is most of it.
 */
import { tracingChannel } from 'node:diagnostics_channel'
import { type TestDatabase, testDatabase } from '@howdah/testkit'
import type { Pool } from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { fill, looks } from './full-tables.js'
import { json } from './support.js'

const ROWS = Number(process.env['HOWDAH_SCALE'] ?? 20_000)
const MEASURED = process.env['HOWDAH_SCALE'] !== undefined
const MOST_MS = 100
/** The first one does not count: it reads what is in no cache yet. */
const RUNS = MEASURED ? 10 : 2

let database: TestDatabase
let pool: Pool
const figures: string[] = []

beforeAll(async () => {
  database = await testDatabase()
  pool = database.pool()
  for (const statement of fill(ROWS)) await pool.query(statement)
}, 1_200_000)
afterAll(async () => {
  await database.close()
  if (MEASURED) process.stdout.write(`\n${figures.join('\n')}\n`)
})

test.each(looks)('%s', { timeout: 120_000 }, async (name, args) => {
  const slowest: Took[] = []
  for (let run = 0; run < RUNS; run++) {
    const statements = await measured(async () => {
      const answer = await json(args, { DATABASE_URL: database.url })
      expect(answer.error).toBeUndefined()
      expect(answer.code).toBe(0)
    })
    if (run > 0) slowest.push(statements.sort((a, b) => b.ms - a.ms)[0] as Took)
  }
  const { target, ms } = slowest.sort((a, b) => a.ms - b.ms)[Math.floor(slowest.length / 2)] as Took
  figures.push(`${name.padEnd(24)} ${ms.toFixed(1).padStart(6)} ms  ${target}`)
  if (MEASURED) expect(ms).toBeLessThan(MOST_MS)
})

test('what is told of full tables is true', async () => {
  const env = { DATABASE_URL: database.url }
  const { queues } = await json(['queue', 'list'], env)
  expect(queues[0]).toMatchObject({ name: 'busy', waiting: Math.floor(ROWS / 2), workers: 0 })
  expect(queues[0].oldest).toBeGreaterThan(3_500_000)
  const { namespaces } = await json(['cache', 'list'], env)
  const large = namespaces.find((one: { name: string }) => one.name === 'large')
  expect(Math.abs(large.entries - ROWS * 0.999)).toBeLessThan(ROWS * 0.1)
  const { names } = await json(['session', 'list'], env)
  const live = names.reduce((sum: number, one: { live: number }) => sum + one.live, 0)
  expect(Math.abs(live - ROWS * 0.95)).toBeLessThan(ROWS * 0.1)
  const { streams } = await json(['stream', 'list'], env)
  expect(streams).toMatchObject([{ name: 'orders', messages: ROWS }])
})

interface Took {
  readonly target: string
  readonly ms: number
}

/** How long each statement took that ran meanwhile. */
async function measured(work: () => Promise<void>): Promise<Took[]> {
  const began = new Map<unknown, number>()
  const took: Took[] = []
  const channel = tracingChannel<unknown, { readonly target: string }>('@howdah/core:query')
  const subscribers = {
    start: (context: { readonly target: string }) => void began.set(context, performance.now()),
    asyncEnd: (context: { readonly target: string }) => {
      const ms = performance.now() - (began.get(context) ?? 0)
      took.push({ target: context.target.split('.').slice(1, -1).join('.'), ms })
    },
    end() {},
    asyncStart() {},
    error() {},
  }
  channel.subscribe(subscribers)
  try {
    await work()
  } finally {
    channel.unsubscribe(subscribers)
  }
  return took
}
