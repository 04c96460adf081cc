import { Database } from '@howdah/core'
import { waitFor } from '@howdah/testkit'
import fc from 'fast-check'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import type { MaterializedOptions, MaterializedQuery } from '../src/index.js'
import { Stage } from './materialized-support.js'

const ALL = 'select id, n from public.item'
const GATED = 'select id, n from public.item where public.gate()'
const TRACKED: Partial<MaterializedOptions> = { refreshOn: ['item'], debounce: '50ms' }
let stage: Stage
let used: MaterializedQuery<never>[] = []

beforeAll(async () => {
  stage = await Stage.open()
})
beforeEach(async () => {
  await stage.pool.query('drop table if exists item cascade')
  await stage.pool.query('create table item (id int primary key, n int not null)')
  await stage.pool.query('insert into item values (1, 10), (2, 20)')
})
afterEach(async () => {
  await stage.openAll()
  await Promise.all(used.map((query) => query.close()))
  used = []
})
afterAll(() => stage.close())

async function tracked(sql = ALL, options: Partial<MaterializedOptions> = {}, name?: string) {
  const query = stage.query(sql, { ...TRACKED, ...options }, name === undefined ? {} : { name })
  used.push(query as MaterializedQuery<never>)
  await query.start()
  return query
}
const follows = (query: MaterializedQuery<{ id: number; n: number }>) =>
  waitFor(async () => {
    const { rows } = await stage.pool.query('select id, n from item order by id')
    const seen = (await query.rows()).sort((a, b) => a.id - b.id)
    return JSON.stringify(seen) === JSON.stringify(rows)
  })
const isDirty = async (query: MaterializedQuery<{ id: number; n: number }>) =>
  (await query.status()).dirty

test('every kind of write is followed', async () => {
  const query = await tracked()
  for (const write of [
    'insert into item values (3, 30)',
    'update item set n = n + 1',
    'delete from item where id = 1',
    'insert into item values (2, 5) on conflict (id) do update set n = excluded.n',
    'merge into item i using (values (3)) v(id) on i.id = v.id when matched then delete',
    'truncate item',
    `do $$ begin insert into item values (7, 7); end $$`,
  ]) {
    await stage.pool.query(write)
    await follows(query)
  }
})

test('a burst of writes is one refresh after it', async () => {
  const name = stage.name()
  const query = await tracked(ALL, { debounce: '300ms', maxWait: '1h' }, name)
  const count = await stage.counting(name)
  for (let id = 10; id < 40; id++) await stage.pool.query('insert into item values ($1, 1)', [id])
  await follows(query)
  expect(await count()).toBe(1)
})

test('writes without end put a refresh off for maxWait at most', async () => {
  const name = stage.name()
  const options = { debounce: '10m', maxWait: '20m' } as const
  const query = await tracked(ALL, options, name)
  const mark = async (minutes: number) => {
    await stage.pool.query('update item set n = n + 1')
    await stage.pool.query(
      `update howdah.cache_materialized_mark set marked_at = marked_at - $2 * interval '1 minute'
       where query = (select id from howdah.cache_materialized where name = $1) and xid <> '0'`,
      [name, minutes],
    )
  }
  await mark(1)
  // Each looks for itself as it starts.
  await tracked(ALL, options, name)
  expect(await isDirty(query)).toBe(true)
  await mark(20)
  await stage.pool.query('update item set n = n + 1')
  await tracked(ALL, options, name)
  await follows(query)
})

test('writers wait neither for each other nor for a refresh', async () => {
  const query = await tracked(GATED)
  const writers = await Promise.all([stage.pool.connect(), stage.pool.connect()])
  for (const [at, writer] of writers.entries()) {
    await writer.query('begin')
    await writer.query(`set local lock_timeout = '500ms'`)
    await writer.query('insert into item values ($1, 1)', [100 + at])
    await writer.query('insert into item values ($1, 1)', [200 + at])
  }
  const open = await stage.shut()
  const refreshed = query.refresh()
  await waitFor(async () => (await stage.waiting()) === 1)
  for (const writer of writers) {
    await writer.query('update item set n = 2 where id > 2')
    await writer.query('commit')
    writer.release()
  }
  await open()
  await refreshed
  await follows(query)
})

test('a change that commits after the snapshot of a refresh is followed by another', async () => {
  const query = await tracked(GATED, { debounce: '1h' })
  const open = await stage.shut()
  const refreshed = query.refresh()
  await waitFor(async () => (await stage.waiting()) === 1)
  await stage.pool.query('insert into item values (3, 3)')
  await open()
  await refreshed
  expect(await query.rows()).toHaveLength(2)
  expect(await isDirty(query)).toBe(true)
  await query.refresh()
  expect(await isDirty(query)).toBe(false)
})

test.each(['read committed', 'repeatable read', 'serializable'])(
  'a %s transaction that is open across a refresh is followed when it commits',
  async (level) => {
    const query = await tracked()
    const writer = await stage.pool.connect()
    await writer.query(`begin isolation level ${level}`)
    await writer.query('insert into item values (3, 3)')
    await writer.query('savepoint a')
    await writer.query('insert into item values (4, 4)')
    await writer.query('rollback to a')
    await stage.pool.query('insert into item values (5, 5)')
    await follows(query)
    await writer.query('commit')
    writer.release()
    await follows(query)
    expect(await query.rows()).toHaveLength(4)
  },
)

test('what is rolled back, or changes nothing, leaves no mark; a transaction leaves one', async () => {
  const query = await tracked(ALL, { debounce: '1h' })
  const writer = await stage.pool.connect()
  await writer.query('begin')
  await writer.query('insert into item values (3, 3)')
  await writer.query('rollback')
  await writer.query('delete from item where id = 999')
  expect(await isDirty(query)).toBe(false)
  await writer.query('begin')
  for (let id = 10; id < 20; id++) await writer.query('insert into item values ($1, 1)', [id])
  await writer.query('commit')
  writer.release()
  const { rows } = await stage.pool.query(
    `select count(*)::int as n from howdah.cache_materialized_mark m
     join howdah.cache_materialized q on q.id = m.query and q.view = $1 where xid <> '0'`,
    [query.view.replaceAll(/.*\."|"/g, '')],
  )
  expect(rows).toEqual([{ n: 1 }])
})

test('a failing refresh keeps the change in mind, reports, and follows once it can', async () => {
  const query = await tracked('select id, 10 / n as n from public.item')
  const errors: unknown[] = []
  query.on('error', (error) => errors.push(error))
  await stage.pool.query('update item set n = 0 where id = 1')
  await waitFor(() => errors.length > 0)
  expect(errors[0]).toMatchObject({ code: 'CACHE_MATERIALIZED_FAILED', cause: { code: '22012' } })
  expect(await query.status()).toMatchObject({ dirty: true, lastError: { code: '22012' } })
  expect(await query.rows()).toHaveLength(2)
  await stage.pool.query('update item set n = 5')
  await waitFor(async () => (await query.status()).lastError === undefined)
  expect((await query.rows()).map((row) => row.n)).toEqual([2, 2])
})

test('a role without rights on our schema can write, and so can all when the marks are gone', async () => {
  const query = await tracked()
  const writer = await stage.admin.connect()
  await writer.query('create role outsider')
  await writer.query('grant all on item to outsider')
  await writer.query('begin')
  await writer.query('set local role outsider')
  await writer.query('insert into item values (3, 3)')
  await writer.query('commit')
  await follows(query)
  await writer.query('drop owned by outsider')
  await writer.query('drop role outsider')
  await query.close()
  await writer.query('alter table howdah.cache_materialized_mark rename to hidden')
  await writer.query('insert into item values (4, 4)')
  await writer.query('alter table howdah.hidden rename to cache_materialized_mark')
  writer.release()
})

test('marks that a crash took are made up for by a refresh', async () => {
  const query = await tracked(ALL, { debounce: '5s', maxWait: '5s' })
  await stage.pool.query('insert into item values (3, 3)')
  // What a crash does to an unlogged table.
  await stage.admin.query('truncate howdah.cache_materialized_mark')
  expect(await isDirty(query)).toBe(false)
  await follows(query)
})

test('what refreshOn cannot mean is said, and the tables can be others later', async () => {
  await stage.pool.query('create or replace view item_view as select * from item')
  const unknown = { code: 'CACHE_MATERIALIZED_UNKNOWN_TABLE' }
  for (const table of ['missing', 'nowhere.item', 'item_view']) {
    const query = stage.query(ALL, { refreshOn: [table] })
    await expect(query.start()).rejects.toMatchObject(unknown)
  }
  await stage.pool.query('create table if not exists second (id int)')
  const name = stage.name()
  await tracked(ALL, { debounce: '1h' }, name)
  const query = await tracked(ALL, { debounce: '1h', refreshOn: ['second'] }, name)
  await stage.pool.query('insert into item values (3, 3)')
  expect(await isDirty(query)).toBe(false)
  await stage.pool.query('insert into second values (3)')
  expect(await isDirty(query)).toBe(true)
})

test('a table or view that was replaced under a query is tracked again', async () => {
  const query = await tracked()
  await stage.pool.query('drop table item cascade')
  await stage.pool.query('create table item (id int primary key, n int not null)')
  await follows(query)
  await stage.pool.query('insert into item values (9, 9)')
  await follows(query)
})

test('a role that may not create triggers is told what it needs', async () => {
  const name = stage.name()
  await stage.admin.query(`drop role if exists ${name}`)
  await stage.admin.query(`create role ${name}`)
  await stage.admin.query(`grant all on schema howdah to ${name}`)
  await stage.admin.query(`grant all on all tables in schema howdah to ${name}`)
  await stage.admin.query(`grant all on all sequences in schema howdah to ${name}`)
  await stage.admin.query(`grant select on item to ${name}`)
  const pool = stage.database.adminPool({ options: `-c role=${name}`, max: 3 })
  const db = stage.track(Database.from(pool))
  const query = stage.query(ALL, TRACKED, { db, name })
  await expect(query.start()).rejects.toMatchObject({ code: 'CACHE_MATERIALIZED_FORBIDDEN' })
  await stage.admin.query(`grant trigger on item to ${name}`)
  await query.start()
  await query.drop()
  await query.close()
  await stage.admin.query(`drop owned by ${name}`)
  await stage.admin.query(`drop role ${name}`)
})

test('refreshEvery refreshes once per period, whoever does it', async () => {
  const name = stage.name()
  const queries = [stage.db, stage.other(), stage.other()].map((db) =>
    stage.query(ALL, { refreshEvery: '400ms' }, { name, db }),
  )
  used.push(...(queries as MaterializedQuery<never>[]))
  await Promise.all(queries.map((query) => query.start()))
  const seen = new Set<number>()
  await waitFor(async () => {
    seen.add((await queries[0]?.status())?.refreshedAt?.getTime() ?? 0)
    return seen.size >= 5
  })
  const times = [...seen]
  for (const [at, time] of times.slice(1).entries()) {
    expect(time - (times[at] ?? 0)).toBeGreaterThanOrEqual(399)
  }
})

test('once quiet, the view equals the query, whatever was written in whatever order', async () => {
  const query = await tracked(ALL, { debounce: 0 })
  const write = fc.oneof(
    fc.record({
      sql: fc.constant('insert into item select $1, $1 on conflict do nothing'),
      id: fc.nat(9),
    }),
    fc.record({ sql: fc.constant('update item set n = n + 1 where id >= $1'), id: fc.nat(9) }),
    fc.record({ sql: fc.constant('delete from item where id = $1'), id: fc.nat(9) }),
  )
  const transaction = fc.record({
    writes: fc.array(write, { minLength: 1, maxLength: 4 }),
    end: fc.constantFrom('commit', 'rollback'),
  })
  await fc.assert(
    fc.asyncProperty(fc.array(transaction, { minLength: 1, maxLength: 8 }), async (all) => {
      await Promise.all(
        all.map(async ({ writes, end }) => {
          const client = await stage.pool.connect()
          try {
            await client.query('begin')
            for (const { sql, id } of writes) await client.query(sql, [id])
            await client.query(end)
          } catch {
            // Two of the writers may have deadlocked over the rows.
            await client.query('rollback')
          } finally {
            client.release()
          }
        }),
      )
      await waitFor(async () => !(await isDirty(query)))
      const { rows } = await stage.pool.query('select id, n from item order by id')
      expect((await query.rows()).sort((a, b) => a.id - b.id)).toEqual(rows)
    }),
    { numRuns: 15 },
  )
}, 60_000)
