import { Database } from '@howdah/core'
import { Queue } from '@howdah/queue'
import { type TestDatabase, testDatabase } from '@howdah/testkit'
import type { Pool } from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { hasTerminal, inside, inTerminal, PROCESS_MS, json as readJson } from './support.js'

/** Moves the cursor, colours, ends a string and is not well-formed JSON. */
const HOSTILE = `a'; drop table "x" --\u001b[31m\n\u202e__proto__`
let database: TestDatabase
let pool: Pool
const queues: Queue[] = []
let made = 0

beforeAll(async () => {
  database = await testDatabase()
  pool = database.pool()
})
afterAll(async () => {
  await Promise.all(queues.map((one) => one.close()))
  await Database.from(pool).close()
  await database.close()
})

const env = () => ({ DATABASE_URL: database.url })
const json = (args: readonly string[]) => readJson(args, env())
const text = (args: readonly string[]) => inside(args, env())

function queue(name = `q${++made}`): Queue {
  const one = new Queue(name, { pool, backoff: 1, attempts: 1 })
  queues.push(one)
  return one
}

/** Has jobs fail for good. */
async function fail(one: Queue, count: number): Promise<string[]> {
  const ids = await one.addMany(Array.from({ length: count }, (_, n) => ({ n })))
  const worker = one.work(() => {
    throw new Error(`no\u001b[2J way`)
  })
  await expect.poll(async () => (await one.stats()).dead).toBe(count)
  await worker.close()
  return ids
}

test('list and show tell how queues stand, whatever they are called', async () => {
  const one = queue(HOSTILE)
  await one.add({ a: 1 })
  await one.add({ a: 2 }, { delay: '1h' })
  await one.add({ a: 3 }, { priority: 5 })
  const { code, queues: rows } = await json(['queue', 'list'])
  expect(code).toBe(0)
  expect(rows).toContainEqual(
    expect.objectContaining({ name: HOSTILE, waiting: 2, delayed: 1, dead: 0, paused: false }),
  )
  const { stdout } = await text(['queue', 'list'])
  expect(stdout).toContain('\\u001b[31m\\u000a\\u202e__proto__')
  expect(stdout).not.toContain('\u001b')
  const shown = await json(['queue', 'show', HOSTILE])
  expect(shown).toMatchObject({ waiting: 2, delayed: 1, totals: { added: 3 }, workers: [] })
  expect(shown.oldestAgeMs).toBeGreaterThan(0)
  expect((await text(['queue', 'show', HOSTILE])).stdout).toMatch(/\nwaiting +2\n/)
})

test('show names who works', async () => {
  const one = queue()
  const worker = one.work(async () => {})
  await expect
    .poll(async () => (await json(['queue', 'show', one.name])).workers)
    .toMatchObject([{ about: expect.stringContaining(String(process.pid)) }])
  await worker.close()
})

test('jobs go page by page, and job shows one', async () => {
  const one = queue()
  const ids = await one.addMany([{ n: 1 }, { n: 2 }, { n: 3 }])
  const first = await json(['queue', 'jobs', one.name, '--limit', '2'])
  expect(first.jobs.map(({ id }: { id: string }) => id)).toEqual(ids.slice(0, 2))
  const rest = await json(['queue', 'jobs', one.name, '--limit', '2', '--after', first.next])
  expect(rest.jobs.map(({ id }: { id: string }) => id)).toEqual(ids.slice(2))
  const { job } = await json(['queue', 'job', one.name, ids[0] ?? ''])
  expect(job).toMatchObject({ id: ids[0], state: 'waiting', payload: { n: 1 } })
  const { stdout } = await text(['queue', 'jobs', one.name, '--limit', '2'])
  expect(stdout).toMatch(/^id .*\n.*\{"n":1\}.*\n.*\{"n":2\}.*\nMore: --after \S+\n$/)
  const shown = await text(['queue', 'job', one.name, ids[0] ?? ''])
  expect(shown.stdout).toMatch(/\nstate +waiting\n/)
})

test('dead letters are listed, retried and purged, and all of them only after a yes', async () => {
  const one = queue()
  const ids = await fail(one, 4)
  const { stdout } = await text(['queue', 'jobs', one.name, '--state', 'failed'])
  expect(stdout).toContain('no\\u001b[2J way')
  const again = await json(['queue', 'retry', one.name, ids[0] ?? ''])
  expect(again).toMatchObject({ code: 0, retried: 1 })
  expect(await one.stats()).toMatchObject({ waiting: 1, dead: 3 })
  for (const args of [
    ['retry', one.name],
    ['purge', one.name],
    ['purge', one.name, ids[1] ?? ''],
    ['purge', one.name, '--waiting'],
    ['cancel', one.name, ids[0] ?? ''],
  ]) {
    const refused = await text(['queue', ...args])
    expect(refused).toMatchObject({ code: 1, stdout: '' })
    expect(refused.stderr).toContain('CLI_NOT_CONFIRMED')
  }
  expect(await one.stats()).toMatchObject({ waiting: 1, dead: 3 })
  expect(await json(['queue', 'purge', one.name, ids[1] ?? '', '--yes'])).toMatchObject({
    purged: 1,
  })
  expect(await json(['queue', 'retry', one.name, '--yes'])).toMatchObject({ retried: 2 })
  expect(await json(['queue', 'purge', one.name, '--waiting', '--yes'])).toMatchObject({
    purged: 3,
  })
  expect(await one.stats()).toMatchObject({ waiting: 0, dead: 0 })
  // With nothing to lose nobody has to be asked.
  expect(await json(['queue', 'purge', one.name])).toMatchObject({ code: 0, purged: 0 })
})

test.skipIf(!hasTerminal)(
  'somebody at a terminal is asked, and only a yes counts',
  async () => {
    const one = queue()
    await one.addMany([{ n: 1 }, { n: 2 }])
    const answered = async (answer: string) => {
      const { child, printed, ended } = inTerminal(`queue purge ${one.name} --waiting`, env())
      await expect.poll(printed, { timeout: 60_000 }).toContain('[y/N] ')
      expect(printed()).toContain(
        `Delete 2 jobs that wait or are delayed of '${one.name}' for good?`,
      )
      child.stdin?.write(`${answer}\n`)
      return ended
    }
    expect(await answered('')).toBe(1)
    expect(await answered('nay')).toBe(1)
    expect(await one.stats()).toMatchObject({ waiting: 2 })
    expect(await answered('yes')).toBe(0)
    expect(await one.stats()).toMatchObject({ waiting: 0 })
  },
  PROCESS_MS,
)

test('cancel tells of each job, and leaves those of other queues', async () => {
  const one = queue()
  const id = await one.add({})
  const stranger = await queue().add({})
  const { code, jobs } = await json(['queue', 'cancel', one.name, id, stranger, '--yes'])
  expect(code).toBe(0)
  expect(jobs).toEqual([
    { id, result: 'cancelled' },
    { id: stranger, result: 'unknown' },
  ])
  const outcome = await json(['queue', 'job', one.name, id])
  expect(outcome.job.state).toBe('cancelled')
})

test('pause and resume', async () => {
  const one = queue()
  await one.add({})
  expect(await json(['queue', 'pause', one.name])).toMatchObject({ code: 0, paused: true })
  expect(await one.stats()).toMatchObject({ paused: true })
  expect((await text(['queue', 'list'])).stdout).toMatch(/ paused\n/)
  expect(await json(['queue', 'resume', one.name])).toMatchObject({ paused: false })
  expect(await one.stats()).toMatchObject({ paused: false })
})

test('schedules are listed, paused, run and removed', async () => {
  const one = queue()
  await one.schedule('nightly', '0 3 * * *', { of: 'all' }, { timezone: 'Europe/Berlin' })
  await one.schedule('often', { every: '90s' }, {})
  const { schedules } = await json(['schedule', 'list', one.name])
  expect(schedules).toMatchObject([
    { queue: one.name, name: 'nightly', cron: '0 3 * * *', paused: false, lastAt: null },
    { name: 'often', everyMs: 90_000 },
  ])
  expect((await text(['schedule', 'list', one.name])).stdout).toContain('every 1m30s')
  await json(['schedule', 'pause', one.name, 'nightly'])
  expect(await one.schedules.get('nightly')).toMatchObject({ paused: true })
  await json(['schedule', 'resume', one.name, 'nightly'])
  const { job } = await json(['schedule', 'run', one.name, 'nightly'])
  expect(await one.get(job)).toMatchObject({ payload: { of: 'all' } })
  const shown = await json(['schedule', 'show', one.name, 'nightly'])
  expect(shown.next).toHaveLength(3)
  expect(shown.runs).toMatchObject([{ job, outcome: 'waiting' }])
  const people = await text(['schedule', 'show', one.name, 'nightly'])
  expect(people.stdout).toMatch(/\nwhen +0 3 \* \* \*\n/)
  expect(await text(['schedule', 'remove', one.name, 'nightly'])).toMatchObject({ code: 1 })
  expect(await one.schedules.list()).toHaveLength(2)
  expect(await json(['schedule', 'remove', one.name, 'nightly', '--yes'])).toMatchObject({
    code: 0,
  })
  expect(await one.schedules.list()).toHaveLength(1)
})

test.each([
  ['a queue', ['queue', 'show', 'nobody'], 'CLI_NOT_FOUND'],
  ['a queue to pause', ['queue', 'pause', 'nobody'], 'CLI_NOT_FOUND'],
  ['a schedule', ['schedule', 'show', 'nobody', 'x'], 'CLI_NOT_FOUND'],
  ['a state', ['queue', 'jobs', 'nobody', '--state', 'asleep'], 'Allowed choices are'],
  ['a limit', ['queue', 'jobs', 'nobody', '--limit', '0'], 'whole number from 1 to 1000'],
])('%s that is not there is refused, and not made', async (_what, args, message) => {
  const { code, stderr } = await text(args)
  expect(code).toBe(1)
  expect(stderr).toContain(message)
  const { rowCount } = await pool.query(`select from howdah.queue where name = 'nobody'`)
  expect(rowCount).toBe(0)
})

test('an id that is none, and tables that are not there, are refused', async () => {
  const one = queue()
  await one.add({})
  const refused = await text(['queue', 'job', one.name, 'x'])
  expect(refused.stderr).toContain('QUEUE_INVALID_OPTION')
  const { code, stderr } = await text(['queue', 'list', '--schema', 'elsewhere'])
  expect(code).toBe(1)
  expect(stderr).toContain('CORE_MIGRATION_REQUIRED')
})
