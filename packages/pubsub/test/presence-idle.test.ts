import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { startPostgres } from '@howdah/testkit'
import pg from 'pg'
import { expect, onTestFinished, test } from 'vitest'
import { presenceAlive } from '../src/sql/presence-alive.js'
import { App, eventually, idsOf } from './presence-support.js'

/** Counts the looks at who lives, those of the clock apart, and notes every other statement. */
function statements() {
  const seen = { checks: 0, clock: 0, others: [] as string[] }
  const note = (message: unknown) => {
    const { target } = message as { target: string }
    if (target === presenceAlive('"howdah"').name) seen.checks++
    else if (target === presenceAlive('"clock"').name) seen.clock++
    else seen.others.push(target)
  }
  subscribe('tracing:@howdah/core:query:start', note)
  onTestFinished(() => void unsubscribe('tracing:@howdah/core:query:start', note))
  return seen
}

test('while members are there and nothing happens nothing is written, and nothing is asked when nobody watches', async () => {
  // Of our own: what a server writes to its log is counted for all its databases together.
  await using server = await startPostgres({ settings: { autovacuum: false } })
  const { url } = await server.createDatabase()
  const [one, two] = [new App(url), new App(url)]
  const here = one.pubsub.presence('room')
  await Promise.all(Array.from({ length: 50 }, (_, n) => here.join(`${n}`)))
  const seen = statements()
  const subscription = await two.pubsub.presence('room').subscribe({ onJoin() {} })
  const admin = new pg.Client({ connectionString: url })
  await admin.connect()
  const written = async () => {
    const { rows } = await admin.query(`select pg_current_wal_insert_lsn()::text as lsn,
      pg_snapshot_xmax(pg_current_snapshot())::text as xid`)
    return rows[0]
  }
  /** Whether three checks passed without a byte written. What came before may still settle, and the server has work of its own. */
  const idle = async () => {
    const [before, checks] = [await written(), seen.checks]
    seen.others = []
    await eventually(() => seen.checks).toBeGreaterThanOrEqual(checks + 3)
    return { before, after: await written(), others: seen.others }
  }
  let window = await idle()
  for (let tries = 0; tries < 3 && window.before.lsn !== window.after.lsn; tries++) {
    window = await idle()
  }
  expect(window.after).toEqual(window.before)
  expect(window.others).toEqual([])
  await subscription.close()
  // A presence without members is watched. The clock is a watch in another schema, whose statements have other names.
  await two.pubsub.presence('empty').subscribe({ onJoin() {} })
  expect(await idsOf(here)).toHaveLength(50)
  const clock = new App(url, { schema: 'clock' })
  await clock.pubsub.presence('room').join('tick')
  await clock.pubsub.presence('room').subscribe({ onJoin() {} })
  const { checks } = seen
  await eventually(() => seen.clock).toBeGreaterThanOrEqual(3)
  expect(seen.checks).toBe(checks)
  await Promise.all([one, two, clock].map((app) => app.close()))
  await admin.end()
}, 60_000)
