import { describe, expect, test } from 'vitest'
import { Bench } from './support.js'

const bench = new Bench()

describe('close()', () => {
  test('waits for the jobs that run', async () => {
    const jobs = bench.queue<number>()
    let done = false
    let finish: (() => void) | undefined
    const worker = jobs.work(async () => {
      await new Promise<void>((resolve) => (finish = resolve))
      done = true
    })
    await jobs.add(1)
    await expect.poll(() => finish).toBeDefined()
    const closing = worker.close()
    finish?.()
    await closing
    expect(done).toBe(true)
    expect(await jobs.stats()).toMatchObject({ waiting: 0, delayed: 0, running: 0, dead: 0 })
  })

  test('hands back what does not end in time, with no attempt counted', async () => {
    const jobs = bench.queue<number>({ attempts: 1 })
    let signal: AbortSignal | undefined
    const worker = jobs.work((job) => {
      signal = job.signal
      return new Promise<void>(() => {})
    })
    await jobs.add(1)
    await expect.poll(() => signal).toBeDefined()
    await worker.close({ withinMs: 0 })
    expect(signal?.aborted).toBe(true)
    expect(await jobs.stats()).toMatchObject({ waiting: 1, running: 0, dead: 0 })
    const seen: number[] = []
    jobs.work((job) => seen.push(job.attempt))
    await expect.poll(() => seen).toEqual([1])
  })
})
