import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { waitFor } from '@howdah/testkit'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { Stage } from './materialized-support.js'

const FIXTURE = fileURLToPath(new URL('./fixtures/materialized-refresher.ts', import.meta.url))
const GATED = 'select id, n from public.item where public.gate()'
let stage: Stage

beforeAll(async () => {
  stage = await Stage.open()
  await stage.pool.query('insert into item values (1, 10)')
})
afterAll(() => stage.close())

function refresher(name: string, sql: string) {
  const child = spawn(
    process.execPath,
    ['--import', 'tsx', FIXTURE, stage.database.url, name, sql],
    { stdio: ['pipe', 'pipe', 'inherit'] },
  )
  onTestFinished(() => {
    child.kill('SIGKILL')
  })
  let output = ''
  child.stdout.on('data', (data) => {
    output += data
  })
  return {
    says: (word: string) => waitFor(() => output.includes(word), { timeout: '30s' }),
    go: () => child.stdin.write('go\n'),
    kill: () => child.kill('SIGKILL'),
    ended: once(child, 'exit').then(([code]) => code),
  }
}

test('four processes that refresh while one runs make one refresh more', async () => {
  const name = stage.name()
  const query = stage.query(GATED, {}, { name })
  await query.start()
  const count = await stage.counting(name)
  const children = Array.from({ length: 4 }, () => refresher(name, GATED))
  await Promise.all(children.map((child) => child.says('ready')))
  const ticket = async () =>
    (await stage.pool.query('select last_value::int as n from howdah.cache_materialized_run'))
      .rows[0].n
  const open = await stage.shut()
  const first = query.refresh()
  await waitFor(async () => (await stage.waiting()) === 1)
  const before = await ticket()
  for (const child of children) child.go()
  await waitFor(async () => (await ticket()) === before + 4)
  await open()
  await first
  expect(await Promise.all(children.map((child) => child.ended))).toEqual([0, 0, 0, 0])
  expect(await count()).toBe(2)
}, 60_000)

test('a process that is killed while it refreshes leaves the way free for others', async () => {
  const name = stage.name()
  const child = refresher(name, GATED)
  await child.says('ready')
  const query = stage.query(GATED, {}, { name })
  await query.start()
  const open = await stage.shut()
  child.go()
  await waitFor(async () => (await stage.waiting()) === 1)
  expect((await query.status()).refreshing).toBe(true)
  child.kill()
  // The server notices while the query still waits: nobody has opened the gate.
  await waitFor(async () => (await stage.waiting()) === 0)
  await waitFor(async () => !(await query.status()).refreshing)
  expect(await query.rows()).toHaveLength(1)
  await stage.pool.query('insert into item values (2, 20)')
  await open()
  await query.refresh()
  expect(await query.rows()).toHaveLength(2)
}, 60_000)
