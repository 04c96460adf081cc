import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import { Bench } from './support.js'

const bench = new Bench()
const SECONDS = Number(process.env['HOWDAH_SCHEDULE_SECONDS'] ?? 8)
const SCHEDULES = 200

test(`five processes use each of ${SCHEDULES} slots a second once, over ${SECONDS} s, though two are killed`, {
  timeout: 60_000 + SECONDS * 3000,
}, async () => {
  const jobs = bench.queue<number>()
  await jobs.stats()
  const file = fileURLToPath(new URL('fixtures/schedule-worker.ts', import.meta.url))
  const children: ChildProcess[] = []
  onTestFinished(() => {
    for (const child of children) child.kill('SIGKILL')
  })
  for (let n = 0; n < 5; n++) {
    children.push(
      spawn(
        process.execPath,
        ['--import', 'tsx', file, bench.database.url, jobs.name, String(SCHEDULES)],
        { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] },
      ),
    )
  }
  await Promise.all(children.map((child) => once(child, 'message')))
  const span = async () => {
    const [row] = await bench.rows<{ first: number; last: number }>(
      `select extract(epoch from max(first))::int as first, extract(epoch from min(last))::int as last from (
         select min(slot) as first, max(slot) as last from howdah.queue_run group by schedule) s`,
    )
    return row as { first: number; last: number }
  }
  const { last: begun } = await span()
  const until = (seconds: number) =>
    expect
      .poll(async () => (await span()).last, { timeout: SECONDS * 2000 + 20_000, interval: 250 })
      .toBeGreaterThanOrEqual(begun + seconds)
  await until(SECONDS / 3)
  children[0]?.kill('SIGKILL')
  await until((SECONDS * 2) / 3)
  children[1]?.kill('SIGKILL')
  await until(SECONDS)
  for (const child of children) child.kill('SIGKILL')
  const rows = await bench.rows<{ slots: number; expected: number; jobs: number }>(
    `select count(*)::int as slots, (extract(epoch from max(slot) - min(slot)) + 1)::int as expected, count(distinct job)::int as jobs
     from howdah.queue_run group by schedule`,
  )
  expect(rows).toHaveLength(SCHEDULES)
  for (const row of rows) {
    expect(row.slots).toBe(row.expected)
    expect(row.jobs).toBe(row.slots)
  }
  const [made] = await bench.rows<{ n: number }>(
    `select count(*)::int as n from howdah.queue_job where flags & 256 <> 0`,
  )
  expect(made?.n).toBe(rows.reduce((sum, row) => sum + row.slots, 0))
})
