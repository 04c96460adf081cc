import { PGlite } from '@electric-sql/pglite'
import { Database } from '@howdah/core'
import { describe, expect, test } from 'vitest'
import { PubSub } from '../src/index.js'
import { TwoProcesses } from './two-processes.js'
import { type AnyRow, Replica, told } from './watch-support.js'

const bench = new TwoProcesses()
const sql = (text: string) => bench.rows<AnyRow>(text)

async function watched(rows: number) {
  const t = bench.fresh().replace('-', '_')
  await sql(`create table ${t} (id int primary key, n int)`)
  const watch = bench.pubSub().watch<AnyRow>(t, { where: 'n >= 0' })
  await watch.install()
  await sql(`insert into ${t} select n, n from generate_series(1, ${rows}) n`)
  return { t, watch }
}

describe('bootstrap()', () => {
  test('reads the rows as they were at its position, whatever is written while it reads', async () => {
    const { t, watch } = await watched(100)
    const { rows, position } = await watch.bootstrap({ batchSize: 3 })
    await sql(`update ${t} set n = -1 where id <= 50; delete from ${t} where id > 90`)
    await sql(`update ${t} set n = 1000 where id = 60`)
    const replica = new Replica()
    for await (const { id, key, row } of rows) {
      expect(key).toEqual({ id: Number(id) })
      replica.rows.set(id, row)
    }
    expect(replica.rows.size).toBe(100)
    await sql(`insert into ${t} values (101, 1)`)
    await replica.follow(watch, position, '101')
    const expected = await sql(`select * from ${t} where n >= 0 order by id`)
    expect([...replica.rows.values()].sort((a, b) => Number(a['id']) - Number(b['id']))).toEqual(
      expected,
    )
  })

  test('holds up nobody who has messages put in order, and gives its connections back', async () => {
    const { t, watch } = await watched(10)
    const bootstrap = await watch.bootstrap({ batchSize: 2 })
    const other = bench.pubSub(1).stream<number>(bench.fresh())
    await other.append(1)
    expect((await other.read()).messages).toHaveLength(1)
    for await (const _ of bootstrap.rows) break
    {
      await using unread = await watch.bootstrap()
      expect(unread.position).toBe('1:10')
    }
    await (await watch.bootstrap()).close()
    const failing = await watch.bootstrap({ batchSize: 1 })
    await sql(
      `select pg_terminate_backend(pid) from pg_stat_activity where query like 'declare howdah_watch%' and datname = current_database()`,
    )
    await expect(async () => {
      for await (const _ of failing.rows);
    }).rejects.toThrow()
    await expect.poll(() => bench.pools[0].totalCount - bench.pools[0].idleCount).toBe(0)
    expect(await sql(`select 1 from pg_locks where relation = '${t}'::regclass`)).toEqual([])
  })

  test('is refused in time by a pool of one connection', { timeout: 20_000 }, async () => {
    const { t } = await watched(1)
    const pool = bench.database.pool({ max: 1 })
    const pubSub = new PubSub({ pool })
    const watch = pubSub.watch(t, { where: 'n >= 0' })
    await expect(watch.bootstrap()).rejects.toMatchObject({ code: 'PUBSUB_NO_CONNECTION' })
    expect(await watch.installed()).toBe('installed')
    await pubSub.close()
    await Database.from(pool).close()
  })

  test('works on PGlite, whose connection is free between the batches', {
    timeout: 60_000,
  }, async () => {
    const pglite = new PGlite()
    await using pubSub = new PubSub({ pool: pglite })
    await pglite.exec('create table item (id int primary key, n int)')
    const watch = pubSub.watch<AnyRow>('item')
    await watch.install()
    await pglite.exec('insert into item select n, n from generate_series(1, 10) n')
    const { rows, position } = await watch.bootstrap({ batchSize: 3 })
    const replica = new Replica()
    for await (const { id, row } of rows) {
      replica.rows.set(id, row)
      await pglite.query('update item set n = n + 1 where id = $1', [Number(id)])
    }
    expect([...replica.rows.values()].map(({ id, n }) => [id, n])).toEqual(
      Array.from({ length: 10 }, (_, i) => [i + 1, i + 1]),
    )
    await pglite.exec('delete from item where id = 10')
    for await (const change of watch.changes({ after: position })) {
      replica.apply(change)
      if (change.op === 'delete') break
    }
    expect(replica.rows.get('9')).toEqual({ id: 9, n: 10 })
    expect(replica.rows.size).toBe(9)
    await watch.remove()
    await pglite.exec('delete from item')
    expect((await told(watch)).at(-1)).toEqual({ op: 'delete', key: { id: 10 } })
    await pubSub.close()
    await Database.from(pglite).close()
    await pglite.close()
  })
})
