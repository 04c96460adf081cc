import { findPgBouncer, startPgBouncer, type TestDatabase, testDatabase } from '@howdah/testkit'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { notTested } from '../../../scripts/not-tested.js'
import { type Checked, doctorOf } from './doctor-support.js'

const bouncer = findPgBouncer() !== undefined
if (!bouncer) notTested('the doctor behind PgBouncer', 'there is no pgbouncer on this machine')

let database: TestDatabase
beforeAll(async () => {
  database = await testDatabase()
})
afterAll(() => database.close())

const doctor = (args: readonly string[], url: string) => doctorOf(url, args)

describe.skipIf(!bouncer)('behind PgBouncer', () => {
  test('without a direct URL it is told that messages are polled for, and with one that all is well', async () => {
    await using pooler = await startPgBouncer({ url: database.url, poolMode: 'transaction' })
    const { faults, checks } = await doctor([], pooler.url)
    const polled = faults.filter(({ check }) => check === 'listening')
    expect(polled).toMatchObject([{ level: 'warning' }])
    expect(polled[0]?.what).toContain('the pool connects through a pooler')
    expect(polled[0]?.mend).toContain('--listen')
    expect(factsOf(checks, 'pooler')).toEqual([
      'Connections lead through a pooler in transaction mode.',
    ])
    const direct = await doctor(['listening', 'pooler', '--listen', database.url], pooler.url)
    expect(direct.faults).toEqual([])
    const wrong = await doctor(['listening', '--listen', pooler.url], pooler.url)
    expect(wrong.faults).toMatchObject([{ check: 'listening' }])
  }, 60_000)

  test('session mode, statement mode and lost prepared statements are told apart', async () => {
    await using session = await startPgBouncer({ url: database.url, poolMode: 'session' })
    const { checks } = await doctor(['pooler', 'prepared-statements'], session.url)
    expect(factsOf(checks, 'pooler')[0]).toContain('session mode')
    const pooled = { url: database.url, poolMode: 'transaction' } as const
    // One before 1.21 does not know the setting, and loses them all the same.
    await using losing = await startPgBouncer({
      ...pooled,
      settings: { max_prepared_statements: 0 },
    }).catch(() => startPgBouncer(pooled))
    expect((await doctor(['prepared-statements'], losing.url)).faults).toMatchObject([
      { level: 'error', what: 'The pooler loses prepared statements.' },
    ])
    await using statement = await startPgBouncer({
      url: database.url,
      poolMode: 'transaction',
      settings: { pool_mode: 'statement' },
    })
    expect((await doctor(['pooler'], statement.url)).faults).toMatchObject([{ level: 'error' }])
  }, 60_000)
})

function factsOf(checks: readonly Checked[], id: string): string[] {
  return checks.find(({ check }) => check === id)?.findings.map(({ what }) => what) ?? []
}
