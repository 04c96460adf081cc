import diagnostics from 'node:diagnostics_channel'
import { expect, test } from 'vitest'
import { Bench } from './support.js'

const bench = new Bench()

test('a worker with nothing to do looks seldom, and yet in time for what is scheduled', async () => {
  const jobs = bench.queue<string>()
  const other = bench.queue<string>({ pool: bench.database.pool() }, jobs.name)
  const ran: string[] = []
  jobs.work((job) => void ran.push(job.payload), { pollInterval: '10m' })
  await jobs.add('first')
  await expect.poll(() => ran).toEqual(['first'])
  const idle = () =>
    bench.rows('select 1 from howdah.queue_idle i join howdah.queue q on q.id = i.queue')
  await expect.poll(idle).toHaveLength(1)
  let looks = 0
  const onLook = () => looks++
  diagnostics.subscribe('tracing:@howdah/queue:take:start', onLook)
  // Due before the worker would look by itself, and added by a process that does not work.
  await other.add('later', { delay: '1s' })
  await expect.poll(() => ran, { timeout: 10_000 }).toEqual(['first', 'later'])
  diagnostics.unsubscribe('tracing:@howdah/queue:take:start', onLook)
  expect(looks).toBeGreaterThan(0)
  expect(looks).toBeLessThan(20)
})
