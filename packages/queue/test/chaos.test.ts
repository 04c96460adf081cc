import { startPostgres } from '@howdah/testkit'
import { expect, test } from 'vitest'
import { chaos, seeded } from './chaos-support.js'

const JOBS = Number(process.env['HOWDAH_CHAOS_JOBS'] ?? 4_000)
const SEED = Number(process.env['HOWDAH_CHAOS_SEED'] ?? Math.floor(Math.random() * 2 ** 31))

test(`no job is lost and none ends twice (seed ${SEED})`, { timeout: 1_200_000 }, async () => {
  await using server = await startPostgres()
  const outcome = await chaos(server, JOBS, seeded(SEED))
  process.stdout.write(`chaos: ${JSON.stringify(outcome)}\n`)
  expect(outcome).toMatchObject({
    diedByThemselves: 0,
    lost: 0,
    extra: 0,
    withoutEnd: 0,
    endedTwice: 0,
    inexact: 0,
    withoutEffect: 0,
  })
  expect(outcome.committed).toBeGreaterThan(JOBS / 4)
  expect(outcome.kills + outcome.freezes + outcome.crashes).toBeGreaterThan(0)
})
