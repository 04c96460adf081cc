import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import { Bench } from './support.js'

const bench = new Bench()

test.each([0, 8])(
  'a job that kills its worker is a dead letter in the end, and all others complete (batches of %i)',
  { timeout: 90_000 },
  async (batchSize) => {
    const jobs = bench.queue<string>({ maxCrashes: 3 })
    const payloads = Array.from({ length: 30 }, (_, n) => (n === 5 ? 'poison' : `fine ${n}`))
    const ids = await jobs.addMany(payloads)
    let deaths = 0
    let over = false
    let child: ChildProcess | undefined
    const file = fileURLToPath(new URL('fixtures/poisoned-worker.ts', import.meta.url))
    const start = () => {
      child = spawn(
        process.execPath,
        ['--import', 'tsx', file, bench.database.url, jobs.name, String(batchSize)],
        { stdio: 'inherit' },
      )
      child.once('exit', () => {
        if (over) return
        deaths++
        start()
      })
    }
    onTestFinished(() => {
      over = true
      child?.kill('SIGKILL')
    })
    start()
    await expect
      .poll(() => jobs.stats(), { timeout: 80_000 })
      .toMatchObject({ waiting: 0, running: 0, dead: 1, totals: { completed: 29 } })
    const [letter] = await jobs.deadLetters()
    expect(letter).toMatchObject({ id: ids[5], payload: 'poison', attempts: 3 })
    expect(deaths).toBe(3)
  },
)
