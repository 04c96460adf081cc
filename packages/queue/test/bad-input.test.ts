import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Queue } from '../src/index.js'
import { Bench } from './support.js'

const bench = new Bench()

test('a payload that is no JSON is refused by the table itself', async () => {
  await bench.queue().stats()
  const written = bench.pool.query(
    `insert into howdah.queue_job (id, added_at, queue, rank, flags, payload) values (0, now(), 0, 0, 0, 'no json')`,
  )
  await expect(written).rejects.toMatchObject({ code: '22P02' })
})

describe('bad input', () => {
  test.each([
    ['', {}],
    ['a\0b', {}],
    ['\ud800', {}],
    ['x'.repeat(201), {}],
    ['x', { attempts: 0 }],
    ['x', { attempts: 1.5 }],
    ['x', { maxPayloadBytes: -1 }],
  ])('is refused at construction: %j %j', (name, options) => {
    expect(() => new Queue(name, { pool: bench.pool, ...options })).toThrow(
      expect.objectContaining({ code: 'QUEUE_INVALID_OPTION' }),
    )
  })

  test('is refused before anything is added', async () => {
    const jobs = bench.queue<unknown>({ maxPayloadBytes: 100 })
    const code = (code: string) => expect.objectContaining({ code })
    await expect(jobs.add(undefined)).rejects.toEqual(code('QUEUE_INVALID_PAYLOAD'))
    await expect(jobs.add(1n)).rejects.toEqual(code('QUEUE_INVALID_PAYLOAD'))
    await expect(jobs.addMany([1, 'x'.repeat(99)])).rejects.toEqual(code('QUEUE_PAYLOAD_TOO_LARGE'))
    await expect(jobs.add(1, { priority: 40_000 })).rejects.toEqual(code('QUEUE_INVALID_OPTION'))
    await expect(jobs.add(1, { delay: 1, runAt: new Date() })).rejects.toEqual(
      code('QUEUE_INVALID_OPTION'),
    )
    await expect(jobs.add(1, { runAt: new Date(Number.NaN) })).rejects.toEqual(
      code('QUEUE_INVALID_OPTION'),
    )
    await expect(jobs.redrive(['1; drop table x'])).rejects.toEqual(code('QUEUE_INVALID_OPTION'))
    await expect(jobs.deadLetters({ limit: 0 })).rejects.toEqual(code('QUEUE_INVALID_OPTION'))
    expect(() => jobs.work(() => {}, { concurrency: 0 })).toThrow(code('QUEUE_INVALID_OPTION'))
    expect(await jobs.addMany([])).toEqual([])
    expect(await jobs.stats()).toMatchObject({ waiting: 0 })
    await jobs.close()
    await expect(jobs.add(1)).rejects.toEqual(code('QUEUE_CLOSED'))
  })

  test('of any JSON, under any well-formed name, comes back unchanged', async () => {
    const name = fc
      .string({ unit: 'grapheme', minLength: 1, maxLength: 60 })
      .filter((text) => !text.includes('\0'))
    await fc.assert(
      fc.asyncProperty(
        name,
        fc.array(fc.jsonValue(), { maxLength: 5 }),
        async (title, payloads) => {
          const jobs = bench.queue<unknown>({}, `${bench.fresh()}${title}`)
          const seen: unknown[] = []
          await jobs.addMany(payloads)
          const worker = jobs.work((job) => seen.push(job.payload), { concurrency: 1 })
          await expect.poll(() => seen.length).toBe(payloads.length)
          await worker.close()
          expect(seen).toEqual(payloads.map((payload) => JSON.parse(JSON.stringify(payload))))
        },
      ),
      { numRuns: 15 },
    )
  })
})
