import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { type TestDatabase, testDatabase } from '@howdah/testkit'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Database } from '../../src/index.js'
import { ledger } from './catalog.js'
import { notes } from './sets.js'

interface Report {
  readonly applied: number
  readonly error?: string
}

const script = fileURLToPath(new URL('./fixtures/boot.ts', import.meta.url))
let database: TestDatabase
let children: ChildProcess[] = []

beforeEach(async () => {
  database = await testDatabase()
})
afterEach(async () => {
  for (const child of children) child.kill('SIGKILL')
  children = []
  await database.close()
})

/** Starts a process that is ready to migrate once it is sent a message. */
async function start(schema: string, which = 'plain'): Promise<ChildProcess> {
  const child = fork(script, [database.url, schema, which], { execArgv: ['--import', 'tsx'] })
  children.push(child)
  await once(child, 'message')
  return child
}

async function boot(child: ChildProcess): Promise<Report> {
  const reported = once(child, 'message')
  const gone = once(child, 'exit').then(() => [{ applied: 0, error: 'exited without a report' }])
  child.send('go')
  const [report] = (await Promise.race([reported, gone])) as [Report]
  return report
}

test('20 processes that boot at once on an empty database all work, and each step is applied once', async () => {
  const processes = await Promise.all(Array.from({ length: 20 }, () => start('app')))
  const reports = await Promise.all(processes.map(boot))

  expect(reports.filter(({ error }) => error !== undefined)).toEqual([])
  expect(reports.reduce((sum, { applied }) => sum + applied, 0)).toBe(5)
  // A package is migrated by one process; the two packages may be by two.
  expect(reports.filter(({ applied }) => applied > 0).length).toBeLessThanOrEqual(2)
  const pool = database.pool()
  expect(await ledger(pool, 'app')).toEqual([
    'notes 1 create-note',
    'notes 2 index-body',
    'notes 3 add-author',
    'tags 1 create-tag',
    'tags 2 add-view',
  ])
  const { rows } = await pool.query('select count(distinct author)::int as n from app.note')
  expect(rows).toEqual([{ n: 20 }])
}, 120_000)

test('after a process is killed in the middle of a migration, the next one starts over and succeeds', async () => {
  const pool = database.pool()
  const holder = await pool.connect()
  await holder.query('select pg_advisory_lock(4242)')
  const child = await start('app', 'halting')
  child.send('go')
  const waiting = () =>
    holder.query(
      `select count(*)::int as n from pg_locks where locktype = 'advisory' and not granted
         and database = (select oid from pg_database where datname = current_database())`,
    )
  await vi.waitFor(async () => expect((await waiting()).rows).toEqual([{ n: 1 }]), 20_000)
  const exited = once(child, 'exit')
  child.kill('SIGKILL')
  await exited

  // The server has not noticed: the dead process's transaction holds the schema's lock, and the next one waits for it.
  const db = Database.from(pool, { schema: 'app' })
  const next = db.migrator.ensure(notes)
  await vi.waitFor(async () => expect((await waiting()).rows).toEqual([{ n: 2 }]), 20_000)
  await holder.query('select pg_advisory_unlock(4242)')
  holder.release()
  await next
  expect(await ledger(pool, 'app')).toEqual([
    'notes 1 create-note',
    'notes 2 index-body',
    'notes 3 add-author',
  ])
  await db.close()
}, 60_000)
