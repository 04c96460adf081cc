import { expect, test } from 'vitest'
import { payloads, TwoProcesses } from './two-processes.js'

const bench = new TwoProcesses()

/** Makes the database look as if it came from a server whose transaction ids were far ahead of ours. */
async function cameFromElsewhere(): Promise<void> {
  await bench.rows(`update howdah.stream_epoch set system_id = '1'`)
  await bench.rows(`update howdah.stream_tick set snapshot = '900000000:900000000:'`)
  await bench.rows(`update howdah.stream_log l set xid = case
    when l.id in (select unnest(g.ids) from howdah.stream_segment g) then '800000000'::xid8 else '900000001'::xid8 end`)
}

test('a dump put back on a server of younger transactions goes on, and nothing comes twice', async () => {
  const name = bench.fresh()
  const before = bench.pubSub(0).stream<number>(name)
  for (const n of [1, 2]) await before.append(n)
  expect(await before.head()).toBe('1:2')
  await bench.rows('select howdah.append($1, to_jsonb(3))', [name])
  await cameFromElsewhere()

  const pubsub = bench.pubSub(1)
  const after = pubsub.stream<number>(name)
  for (const n of [4, 5]) {
    await after.append(n)
    await after.read()
  }
  const batch = await after.read({ after: '1:2' })
  expect(batch).toMatchObject({ continuity: 'ok', head: 5, next: '2:5' })
  expect(payloads(batch.messages)).toEqual([3, 4, 5])
  expect(await after.read({ after: '1:9' })).toMatchObject({ continuity: 'reset', validUntil: 2 })
  expect(await pubsub.stats()).toMatchObject({ unsequenced: 0 })
})

test('a dump in which everything was in order goes on, too', async () => {
  const name = bench.fresh()
  const before = bench.pubSub(0).stream<number>(name)
  await before.append(1)
  await before.read()
  await cameFromElsewhere()
  const after = bench.pubSub(1).stream<number>(name)
  await after.append(2)
  expect(payloads((await after.read()).messages)).toEqual([1, 2])
})

test('followers elsewhere hear of messages that the hub could not tell of at the time', async () => {
  const name = bench.fresh()
  const errors: unknown[] = []
  const [one, two] = [bench.pubSub(0), bench.pubSub(1)]
  one.on('error', (error) => errors.push(error))
  const heard: number[] = []
  await one.stream<number>(name).subscribe(() => {})
  await two.stream<number>(name).subscribe(({ payload }) => heard.push(payload))
  await one.stream<number>(name).append(1)
  await expect.poll(() => heard).toEqual([1])
  // What tells fails, as it does where the server's queue of notifications is full.
  const admin = bench.database.adminPool()
  await admin.query(
    `create function refuse() returns trigger language plpgsql as $$ begin raise 'no room'; end $$`,
  )
  await admin.query(
    'create trigger refuse before insert on howdah.hub_message execute function refuse()',
  )
  await bench.rows(`select setval('howdah.hub_polled_until', 9000000000000000)`)
  await one.stream<number>(name).append(2)
  await expect.poll(() => errors.length).toBeGreaterThan(0)
  await admin.query('drop trigger refuse on howdah.hub_message')
  await expect.poll(() => heard, { timeout: 5000 }).toEqual([1, 2])
})
