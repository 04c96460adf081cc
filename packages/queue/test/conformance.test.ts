import { type AddOptionsUnderTest, type QueueSubject, queueConformance } from '@howdah/testkit'
import { describe, expect, it } from 'vitest'
import { subjectOf } from './conformance-support.js'
import { installPgmq } from './pgmq-support.js'
import { Bench } from './support.js'

const bench = new Bench()
const runner = { describe, it: (name: string, body: () => Promise<void>) => it(name, body, 60_000) }

describe('the engine native', () => {
  queueConformance(runner, () => subjectOf(bench.pool, bench.database.pool(), 'native'))
})

describe('the engine pgmq', () => {
  let there: Promise<boolean> | undefined
  const skipping = {
    describe,
    it: (name: string, body: () => Promise<void>) =>
      it(name, async ({ skip }) => {
        there ??= installPgmq(bench.pool)
        if (!(await there)) skip()
        await body()
      }, 60_000),
  }
  queueConformance(skipping, () =>
    subjectOf(bench.pool, bench.database.pool(), { name: 'pgmq', priorities: [0, 5] }),
  )
})

/** Runs the suite by itself and answers the names of the tests that fail. */
async function failures(breakIt: (subject: QueueSubject) => QueueSubject): Promise<string[]> {
  const tests: { readonly name: string; body(): Promise<void> }[] = []
  queueConformance(
    { describe: (_, body) => body(), it: (name, body) => tests.push({ name, body }) },
    () => {
      const made = subjectOf(bench.pool, bench.database.pool(), 'native')
      return { ...made, subject: breakIt(made.subject) }
    },
  )
  const failed: string[] = []
  for (const { name, body } of tests) await body().catch(() => failed.push(name))
  return failed
}

it('an engine that is broken on purpose fails the suite, and only where it is broken', {
  timeout: 120_000,
}, async () => {
  expect(await failures((subject) => subject)).toEqual([])
  expect(
    await failures((subject) => {
      // Adds outside of the transaction it is given.
      const add = subject.queue.add.bind(subject.queue)
      const queue = {
        ...subject.queue,
        add: (payload: unknown, { client: _, ...rest }: AddOptionsUnderTest = {}) =>
          add(payload, rest),
      }
      return { ...subject, queue }
    }),
  ).toEqual(['adds in the transaction of the caller: with its commit, and not without'])
  expect(
    await failures((subject) => {
      // Forgets the priority.
      const addMany = subject.queue.addMany.bind(subject.queue)
      const queue = {
        ...subject.queue,
        addMany: (
          payloads: readonly unknown[],
          { priority: _, ...rest }: AddOptionsUnderTest = {},
        ) => addMany(payloads, rest),
      }
      return { ...subject, queue }
    }),
  ).toEqual(['starts higher priorities first, and equal ones in order'])
})
