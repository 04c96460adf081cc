import { startProxy, type TestDatabase, testDatabase, waitFor } from '@howdah/testkit'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { NearApp, overhear, put, warm } from './near-support.js'

let database: TestDatabase
let port: number
let namespaces = 0

const namespace = () => `near-${++namespaces}`

beforeAll(async () => {
  database = await testDatabase()
  port = Number(new URL(database.url).port)
})
afterAll(() => database.close())

/** A connection of somebody who is not one of our processes. */
async function outsider(): Promise<pg.Client & AsyncDisposable> {
  const client = new pg.Client({ connectionString: database.adminUrl })
  await client.connect()
  return Object.assign(client, { [Symbol.asyncDispose]: () => client.end() })
}

describe('a near cache', () => {
  test('answers from memory what was read, until another process changes it', async () => {
    const name = namespace()
    await using ours = new NearApp(database.url, name)
    await using theirs = new NearApp(database.url, name)
    await theirs.set('k', 'one')
    expect(await warm(ours, 'k')).toBe('one')
    await theirs.set('k', 'two')
    await expect.poll(() => ours.get('k')).toBe('two')
    expect(await warm(ours, 'k')).toBe('two')
    expect([...ours.errors, ...theirs.errors]).toEqual([])
  })

  test('does not store what was read while it changed', async () => {
    const name = namespace()
    await using ours = new NearApp(database.url, name)
    await ours.set('k', 'one')
    await ours.set('other', 'here')
    await warm(ours, 'other')
    ours.pause = async () => {
      ours.pause = () => {}
      const { received } = ours.db.hub.stats()
      await ours.pool.query(put(name, 'k', 'two'))
      await waitFor(() => ours.db.hub.stats().received > received)
    }
    expect(await ours.get('k')).toBe('one')
    expect(ours.near.lookup('other')?.value).toBe('here')
    expect(ours.near.lookup('k')).toBeUndefined()
    expect(await warm(ours, 'k')).toBe('two')
  })

  test('does not store what was read when everything was forgotten meanwhile', async () => {
    await using ours = new NearApp(database.url, namespace())
    await ours.set('k', 'one')
    await warm(ours, 'k')
    ours.near.forget(['k'])
    ours.pause = () => {
      ours.pause = () => {}
      ours.near.flush()
    }
    await ours.get('k')
    expect(ours.near.stats().entries).toBe(0)
  })

  test('two reads of one key at a time share their guard, and each stores what is still true', async () => {
    await using ours = new NearApp(database.url, namespace())
    await ours.set('k', 'one')
    await warm(ours, 'k')
    ours.near.forget(['k'])
    const [first, second] = [ours.near.begin('k'), ours.near.begin('k')]
    ours.near.abandon(first)
    ours.near.forget(['k'])
    const third = ours.near.begin('k')
    const read = { value: 1, encoded: undefined, bytes: 1, ttl: null, sliding: false }
    ours.near.store(second, read)
    expect(ours.near.lookup('k')).toBeUndefined()
    ours.near.store(third, read)
    expect(ours.near.lookup('k')?.value).toBe(1)
  })

  test('forgets what expires, by the time the database gave it', async () => {
    await using ours = new NearApp(database.url, namespace())
    await ours.set('k', 'one', 3_000)
    await warm(ours, 'k')
    const left = (ours.near.lookup('k')?.deadline ?? 0) - performance.now()
    expect(left).toBeGreaterThan(0)
    expect(left).toBeLessThan(3_000)
    await expect.poll(() => ours.get('k')).toBeUndefined()
  })

  test('serves an entry that slides for a tenth of its time', async () => {
    await using ours = new NearApp(database.url, namespace())
    await ours.set('k', 'one')
    await warm(ours, 'k')
    const served = (sliding: boolean) => {
      ours.near.forget(['k'])
      const fill = ours.near.begin('k')
      ours.near.store(fill, { value: 1, encoded: undefined, bytes: 1, ttl: 50_000, sliding })
      return (ours.near.lookup('k')?.deadline ?? 0) - (fill?.startedAt ?? 0)
    }
    expect(served(false)).toBeCloseTo(50_000, 3)
    expect(served(true)).toBeCloseTo(5_000, 3)
  })

  test('begins only when every transaction has ended that may not know of it', async () => {
    const name = namespace()
    await using ours = new NearApp(database.url, name)
    await ours.set('k', 'one')
    await using writer = await outsider()
    await writer.query('begin')
    await writer.query(put(name, 'k', 'two'))
    for (let read = 0; read < 50; read++) {
      expect(await ours.get('k')).toBe('one')
      await ours.pool.query('select pg_sleep(0.005)')
    }
    expect(ours.near.stats()).toMatchObject({ open: false, hits: 0, entries: 0 })
    await writer.query('commit')
    expect(await warm(ours, 'k')).toBe('two')
  })

  test('hears of a write whose transaction began before it, and wrote after', async () => {
    const name = namespace()
    await using ours = new NearApp(database.url, name)
    await ours.set('k', 'one')
    await using writer = await outsider()
    await writer.query('begin isolation level repeatable read')
    await writer.query('select * from howdah.cache_namespace')
    expect(await warm(ours, 'k')).toBe('one')
    await writer.query(put(name, 'k', 'two'))
    await writer.query('commit')
    await expect.poll(() => ours.get('k')).toBe('two')
  })

  test('follows its namespace when somebody clears it', async () => {
    const name = namespace()
    await using ours = new NearApp(database.url, name, { maxStale: 300 })
    await ours.set('k', 'one')
    await warm(ours, 'k')
    await ours.pool.query('select howdah.cache_clear($1)', [name])
    await expect.poll(() => ours.get('k')).toBeUndefined()
    await ours.set('k', 'two')
    expect(await warm(ours, 'k')).toBe('two')
    await ours.pool.query(put(name, 'k', 'three'))
    await expect.poll(() => ours.get('k')).toBe('three')
    expect(await warm(ours, 'k')).toBe('three')
  })

  test('forgets what SQL writes past it, or invalidates by tag', async () => {
    const name = namespace()
    await using ours = new NearApp(database.url, name)
    const changes = [
      `update howdah.cache_entry set value = 'changed'`,
      `delete from howdah.cache_entry`,
      'truncate howdah.cache_entry',
    ]
    for (const change of changes) {
      await ours.set('k', 'one')
      await warm(ours, 'k')
      await using writer = await outsider()
      await writer.query(change)
      await expect.poll(() => ours.get('k')).not.toBe('one')
    }
    await ours.pool.query(`select howdah.cache_set($1, 'k', '1', null, array['t'])`, [name])
    await warm(ours, 'k')
    await ours.pool.query(`select howdah.cache_invalidate_tags($1, 't')`, [name])
    await expect.poll(() => ours.near.stats().entries).toBe(0)
  })

  test('finds out that its registration has lapsed, and begins anew', async () => {
    const name = namespace()
    // Long enough that no read goes to the database for want of a proof.
    await using ours = new NearApp(database.url, name, { maxStale: 8_000 })
    await ours.set('k', 'one')
    await warm(ours, 'k')
    const lapse = 'update howdah.cache_namespace set near_until = clock_timestamp() where name = $1'
    await ours.pool.query(lapse, [name])
    await ours.pool.query(put(name, 'k', 'two'))
    await expect.poll(() => ours.get('k')).toBe('two')
    expect(await warm(ours, 'k')).toBe('two')
    // Registered anew by someone else, so that the namespace looks as before: what was written between is not missed.
    await ours.pool.query(lapse, [name])
    await ours.pool.query(put(name, 'k', 'three'))
    await ours.pool.query('select howdah.cache_near($1, false)', [name])
    await expect.poll(() => ours.get('k')).toBe('three')
    expect(await warm(ours, 'k')).toBe('three')
  })

  test('keeps its registration while the row of its namespace is held', async () => {
    const name = namespace()
    await using ours = new NearApp(database.url, name, { maxStale: 300 })
    await ours.set('k', 'one')
    await warm(ours, 'k')
    await using holder = await outsider()
    await holder.query('begin')
    await holder.query('select from howdah.cache_namespace where name = $1 for update', [name])
    const { rows } = await ours.pool.query('select * from howdah.cache_near($1, false)', [name])
    expect(rows[0]._ms).toBeGreaterThan(0)
    expect(await warm(ours, 'k')).toBe('one')
    await holder.query('rollback')
  })
})

describe('the cost of near caches', () => {
  test('a namespace without one sends nothing, and one with it a message for each batch', async () => {
    const [plain, near] = [namespace(), namespace()]
    await using ours = new NearApp(database.url, near)
    await ours.set('k', 'one')
    await warm(ours, 'k')
    const heard = await overhear(database)
    await ours.pool.query(put(plain, 'k', 'x'))
    await ours.pool.query(
      `select howdah.cache_put($1, array['a', 'b', 'c'], array['1', '2', '3'], array[null]::float8[])`,
      [near],
    )
    const { rows } = await ours.pool.query(
      'select id from howdah.cache_namespace where name = $1',
      [near],
    )
    await expect.poll(() => heard.names).toEqual([String(rows[0].id)])
    await heard.close()
  })

  test('proofs are sent while somebody reads, and no longer', async () => {
    const name = namespace()
    await using ours = new NearApp(database.url, name, { maxStale: 100 })
    await ours.set('k', 'one')
    const heard = await overhear(database)
    await warm(ours, 'k')
    await expect
      .poll(async () => {
        await ours.get('k')
        return heard.proofs()
      })
      .toBeGreaterThan(5)
    const rests = async () => {
      const before = heard.proofs()
      // Ten times as long as from one proof to the next.
      await ours.pool.query('select pg_sleep(0.2)')
      return heard.proofs() - before
    }
    await expect.poll(rests).toBe(0)
    expect(await rests()).toBe(0)
    expect(await warm(ours, 'k')).toBe('one')
    await heard.close()
  })

  test('a proof leaves no setting behind, and waits for no flush', async () => {
    await using client = await outsider()
    await client.query('begin')
    await client.query(`select howdah.cache_near_prove('n', array[]::int[], array[]::uuid[])`)
    const inside = await client.query('show synchronous_commit')
    await client.query('commit')
    const after = await client.query('show synchronous_commit')
    expect([inside.rows[0], after.rows[0]].map((row) => row.synchronous_commit)).toEqual([
      'off',
      'on',
    ])
  })
})

describe('when messages do not come in', () => {
  test('over a frozen connection, reads go to the database once maxStale has passed', async () => {
    const name = namespace()
    await using proxy = await startProxy({ host: '127.0.0.1', port })
    await using ours = new NearApp(database.url, name, {
      maxStale: 200,
      listen: proxy.url(database.url),
    })
    await using theirs = new NearApp(database.url, name)
    await theirs.set('k', 'one')
    await warm(ours, 'k')
    proxy.freeze()
    await theirs.set('k', 'two')
    await expect.poll(() => ours.get('k')).toBe('two')
    const { hits } = ours
    for (let read = 0; read < 20; read++) await ours.get('k')
    expect(ours.hits).toBe(hits)
    proxy.thaw()
    expect(await warm(ours, 'k')).toBe('two')
    expect(ours.errors).toEqual([])
  })

  test('after the listening connection was lost, everything is forgotten', async () => {
    const name = namespace()
    await using ours = new NearApp(database.url, name, { hub: { reconnectMax: '100ms' } })
    await ours.set('k', 'one')
    await warm(ours, 'k')
    const { gaps } = ours.db.hub.stats()
    await using client = await outsider()
    await client.query(
      `select pg_terminate_backend(pid) from pg_stat_activity
       where application_name = 'howdah' and datname = current_database()`,
    )
    await client.query(put(name, 'k', 'two'))
    await waitFor(() => ours.db.hub.stats().gaps > gaps)
    expect(ours.near.stats().entries).toBe(0)
    expect(await warm(ours, 'k')).toBe('two')
  })

  test('a pool that cannot send costs hits, and fails no reader', async () => {
    const name = namespace()
    await using ours = new NearApp(database.url, name, { maxStale: 200 })
    await ours.set('k', 'one')
    await warm(ours, 'k')
    await using client = await outsider()
    await client.query(`alter function howdah.cache_near_prove rename to elsewhere`)
    try {
      await expect
        .poll(async () => {
          await ours.get('k')
          return ours.errors.length
        })
        .toBeGreaterThan(0)
      expect(await ours.get('k')).toBe('one')
    } finally {
      await client.query(`alter function howdah.elsewhere rename to cache_near_prove`)
    }
    expect(await warm(ours, 'k')).toBe('one')
  })
})

describe('where messages are polled for', () => {
  const POLL = { listen: false, hub: { pollInterval: 20 } } as const

  test('reads are answered from memory and changes heard', async () => {
    const name = namespace()
    await using ours = new NearApp(database.url, name, { ...POLL, maxStale: 2_000 })
    await using theirs = new NearApp(database.url, name)
    await theirs.set('k', 'one')
    expect(await warm(ours, 'k')).toBe('one')
    expect(ours.db.hub.state).toBe('polling')
    await theirs.set('k', 'two')
    await expect.poll(() => ours.get('k')).toBe('two')
    expect(await warm(ours, 'k')).toBe('two')
  })

  test('a poller that lost its claim waits for running transactions again', async () => {
    const name = namespace()
    await using ours = new NearApp(database.url, name, { ...POLL, maxStale: 2_000 })
    await ours.set('k', 'one')
    await warm(ours, 'k')
    const { gaps } = ours.db.hub.stats()
    await using running = await outsider()
    await running.query('begin')
    await running.query('select pg_current_xact_id()')
    await running.query('delete from howdah.hub_poller')
    await running.query('commit')
    await running.query('begin')
    await running.query('select pg_current_xact_id()')
    await waitFor(() => ours.db.hub.stats().gaps > gaps)
    for (let read = 0; read < 10; read++) await ours.get('k')
    expect(ours.near.stats()).toMatchObject({ open: false, entries: 0 })
    await running.query('commit')
    expect(await warm(ours, 'k')).toBe('one')
  })
})

test('close() lets go of the hub', async () => {
  await using ours = new NearApp(database.url, namespace())
  await ours.set('k', 'one')
  await warm(ours, 'k')
  await ours.near.close()
  expect(ours.db.hub.state).toBe('idle')
  expect(await ours.get('k')).toBe('one')
  expect(ours.near.stats()).toMatchObject({ open: false, entries: 0 })
})
