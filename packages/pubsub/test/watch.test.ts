import { Database, isHowdahError } from '@howdah/core'
import { describe, expect, test } from 'vitest'
import type { Watch, WatchOptions } from '../src/index.js'
import { TwoProcesses } from './two-processes.js'
import { type AnyRow, Replica, told } from './watch-support.js'

const bench = new TwoProcesses()
const sql = (text: string) => bench.rows<AnyRow>(text)
const code = (error: unknown) => (isHowdahError(error) ? error.code : error)

/** Makes a table and installs a watch on it. */
async function watched(
  columns: string,
  options: WatchOptions = {},
): Promise<{ t: string; watch: Watch<AnyRow> }> {
  const t = bench.fresh().replace('-', '_')
  await sql(`create table ${t} (${columns})`)
  const watch = bench.pubSub().watch<AnyRow>(t, options)
  await watch.install()
  return { t, watch }
}

describe('changes', () => {
  test('are told by row, with the key and the columns', async () => {
    const { t, watch } = await watched('id int primary key, name text, n int')
    await sql(`insert into ${t} values (2, 'b', 1), (1, 'a', 1)`)
    await sql(`update ${t} set n = n + 1 where id = 1`)
    await sql(`delete from ${t} where id = 2`)
    await sql(`truncate ${t}`)
    const { messages } = await watch.stream.read()
    expect(messages.map(({ key, payload }) => [key, payload])).toEqual([
      ['2', { op: 'insert', key: { id: 2 }, row: { id: 2, name: 'b', n: 1 } }],
      ['1', { op: 'insert', key: { id: 1 }, row: { id: 1, name: 'a', n: 1 } }],
      ['1', { op: 'update', key: { id: 1 }, row: { id: 1, name: 'a', n: 2 } }],
      ['2', { op: 'delete', key: { id: 2 } }],
      [undefined, { op: 'truncate' }],
    ])
  })

  test('tell with diff and old what changed, from what to what', async () => {
    const { t, watch } = await watched('id int primary key, a text, b json, c int', {
      diff: true,
      old: true,
    })
    await sql(`insert into ${t} values (1, null, '{"x": 1}', 5)`)
    await sql(`update ${t} set a = 'new', c = null`)
    await sql(`update ${t} set b = '{"x":1}'`)
    await sql(`delete from ${t}`)
    const [, ...changes] = await told(watch)
    expect(changes).toEqual([
      {
        op: 'update',
        key: { id: 1 },
        row: { a: 'new', c: null },
        old: { a: null, c: 5 },
        changed: ['a', 'c'],
      },
      { op: 'update', key: { id: 1 }, row: { b: { x: 1 } }, old: { b: { x: 1 } }, changed: ['b'] },
      { op: 'delete', key: { id: 1 }, old: { id: 1, a: 'new', b: { x: 1 }, c: null } },
    ])
  })

  test('that change nothing watched, or no row, are not told', async () => {
    const { t, watch } = await watched('id int primary key, seen text, unseen text', {
      columns: ['seen'],
    })
    await sql(`insert into ${t} values (1, 'a', 'b')`)
    await sql(`update ${t} set seen = seen`)
    await sql(`update ${t} set unseen = 'c'`)
    await sql(`update ${t} set seen = 'x' where id > 1`)
    await sql(`delete from ${t} where id > 1`)
    await sql(`insert into ${t} select 1, 'x' where false`)
    expect(await told(watch)).toEqual([{ op: 'insert', key: { id: 1 }, row: { seen: 'a' } }])
  })

  test('of rows that start or stop to fulfil the condition enter and leave', async () => {
    const { t, watch } = await watched('id int primary key, status text, note text', {
      columns: ['note'],
      where: "status <> 'draft' -- not yet",
      old: true,
    })
    await sql(`insert into ${t} values (1, 'draft', 'a'), (2, 'open', 'b'), (3, null, 'c')`)
    await sql(`update ${t} set status = 'open' where id in (1, 2)`)
    await sql(`update ${t} set note = 'd', status = 'draft' where id = 2`)
    await sql(`delete from ${t}`)
    expect(await told(watch)).toEqual([
      { op: 'insert', key: { id: 2 }, row: { note: 'b' } },
      { op: 'enter', key: { id: 1 }, row: { note: 'a' } },
      { op: 'leave', key: { id: 2 }, old: { note: 'b' } },
      { op: 'delete', key: { id: 1 }, old: { note: 'a' } },
    ])
  })

  test('of a key are a deletion and an insertion', async () => {
    const { t, watch } = await watched('a int, b text, v int, primary key (b, a)')
    await sql(`insert into ${t} values (1, 'x', 1), (2, 'x', 2)`)
    await sql(`update ${t} set a = a - 1`)
    const { messages } = await watch.stream.read({ after: 2 })
    expect(messages.map(({ key, payload }) => [key, payload.op])).toEqual([
      ['["x",0]', 'insert'],
      ['["x",2]', 'delete'],
      ['["x",1]', 'update'],
    ])
  })

  test('are told of every kind of statement that writes', async () => {
    const { t, watch } = await watched('id int primary key, n int')
    const child = `${t}_child`
    await sql(
      `create table ${child} (id int primary key, parent int references ${t} on delete cascade on update cascade)`,
    )
    const children = bench.pubSub().watch(child)
    await children.install()
    await sql(
      `insert into ${t} values (1, 1), (2, 2); insert into ${child} values (10, 1), (11, 1), (20, 2)`,
    )
    await sql(
      `insert into ${t} values (1, 9), (3, 3) on conflict (id) do update set n = excluded.n`,
    )
    await sql(
      `merge into ${t} using (values (2), (3), (4)) s(id) on s.id = ${t}.id
       when matched and s.id = 2 then delete when matched then update set n = 30 when not matched then insert values (s.id, 40)`,
    )
    await sql(`with moved as (update ${t} set n = 41 where id = 4 returning id)
      insert into ${t} select id + 1, 50 from moved`)
    await sql(`update ${t} set id = 100 where id = 1`)
    await sql(`truncate ${t} cascade`)
    const replay = (changes: readonly { op: string; key?: unknown }[]) =>
      changes.map(({ op, key }) => `${op} ${Object.values(key ?? {})}`)
    expect(replay(await told(watch)).sort()).toEqual(
      [
        ...['insert 1', 'insert 2', 'insert 3', 'insert 4', 'insert 5', 'insert 100'],
        ...['update 1', 'update 3', 'update 4', 'delete 1', 'delete 2', 'truncate '],
      ].sort(),
    )
    expect(replay(await told(children))).toEqual([
      ...['insert 10', 'insert 11', 'insert 20'],
      ...['delete 20', 'update 10', 'update 11', 'truncate '],
    ])
  })

  test('end at the row as it is, where triggers of the application change it within the statement', async () => {
    const { t, watch } = await watched('id int primary key, n int, note text', {
      where: 'n < 100',
    })
    await sql(`create function ${t}_before() returns trigger language plpgsql as $$
      begin new.note := 'before'; if new.n = 13 then return null; end if; return new; end $$`)
    await sql(`create function ${t}_after() returns trigger language plpgsql as $$
      begin
        if new.n = 1 then update ${t} set n = 2, note = 'after' where id = new.id; end if;
        if new.n = 3 then delete from ${t} where id = new.id; end if;
        if new.n = 4 then update ${t} set n = 400 where id = new.id; end if;
        return null;
      end $$`)
    await sql(
      `create trigger a before insert or update on ${t} for each row execute function ${t}_before()`,
    )
    await sql(
      `create trigger b after insert or update on ${t} for each row execute function ${t}_after()`,
    )
    await sql(`insert into ${t} select n, n from generate_series(1, 20) n`)
    await sql(`insert into ${t} select n, 1 + n % 5 from generate_series(21, 99) n`)
    await sql(`update ${t} set n = n % 5`)
    // One statement that deletes and inserts one key tells the insertion first.
    await sql(`merge into ${t} using (values (1, 1), (2, 1)) s(id, action) on s.id = ${t}.id and s.action = 1 and s.id = 1
      when matched then delete when not matched then insert values (1, 7)`)
    const replica = new Replica(false)
    const rows = await sql(`select * from ${t} where n < 100 order by id`)
    for (const change of await told(watch)) {
      const id = 'key' in change ? String(change.key['id']) : undefined
      replica.apply({ ...change, id, position: '' })
    }
    expect([...replica.rows.values()].sort((a, b) => Number(a['id']) - Number(b['id']))).toEqual(
      rows,
    )
  })

  test('are of our rows, where the snapshot still shows the row that another has deleted', async () => {
    const { t, watch } = await watched('id int primary key, n int')
    await sql(`insert into ${t} values (1, 1), (2, 2)`)
    const client = await bench.pools[1].connect()
    await client.query('begin isolation level repeatable read')
    await client.query(`select * from ${t}`)
    await sql(`delete from ${t} where id = 2`)
    await client.query('savepoint a')
    await client.query(
      `insert into ${t} values (1, 10), (2, 20) on conflict (id) do update set n = excluded.n`,
    )
    await client.query('commit')
    client.release()
    expect((await told(watch)).slice(2)).toEqual([
      { op: 'delete', key: { id: 2 } },
      { op: 'update', key: { id: 1 }, row: { id: 1, n: 10 } },
      { op: 'insert', key: { id: 2 }, row: { id: 2, n: 20 } },
    ])
  })

  test('roll back with their transaction or savepoint', async () => {
    const { t, watch } = await watched('id int primary key')
    const db = Database.from(bench.pools[0])
    await db.transaction(async (tx) => {
      await tx.query(`insert into ${t} values (1)`)
      await tx.query('savepoint a')
      await tx.query(`insert into ${t} values (2)`)
      await tx.query('rollback to savepoint a')
      await tx.query(`insert into ${t} values (3)`)
    })
    await db
      .transaction(async (tx) => {
        await tx.query(`insert into ${t} values (4)`)
        throw new Error('no')
      })
      .catch(() => {})
    expect((await told(watch)).map((change) => 'key' in change && change.key)).toEqual([
      { id: 1 },
      { id: 3 },
    ])
  })

  test('of a hundred thousand rows are told by one call of the trigger', async () => {
    const { t, watch } = await watched('id int primary key, n int')
    await sql(`insert into ${t} select n, 0 from generate_series(1, 100000) n`)
    await sql(`create table ${t}_calls (rows bigint)`)
    await sql(`create function ${t}_count() returns trigger language plpgsql as $$
      begin insert into public.${t}_calls select count(*) from added; return null; end $$`)
    await bench.admin.query(`create trigger counted after insert on howdah.stream_log referencing new table as added
      for each statement execute function ${t}_count()`)
    await sql(`update ${t} set n = 1`)
    await bench.admin.query(`drop trigger counted on howdah.stream_log`)
    expect(await sql(`select rows::int from ${t}_calls`)).toEqual([{ rows: 100_000 }])
    const last = await watch.stream.read({ after: 199_999 })
    expect(last.messages[0]?.payload).toEqual({
      op: 'update',
      key: { id: 100_000 },
      row: { id: 100_000, n: 1 },
    })
    expect(last.head).toBe(200_000)
  })

  test('changes() tells of messages that are gone', async () => {
    const { t, watch } = await watched('id int primary key')
    await sql(`insert into ${t} select generate_series(1, 3)`)
    await watch.stream.head()
    await sql(`update howdah.stream set floor = 3 where name = 'watch:${t}'`)
    for await (const change of watch.changes({ after: 1 })) {
      expect(change).toEqual({ op: 'lost', reason: 'truncated', id: undefined, position: '1:2' })
      break
    }
  })
})

describe('install(), installed() and remove()', () => {
  test('replace other options, do nothing twice, and leave nothing', async () => {
    const { t, watch } = await watched('id int primary key, n int', { stream: bench.fresh() })
    const stream = watch.stream.name
    const other = bench.pubSub(1).watch(t, { stream, where: 'n > 1' })
    expect(await watch.installed()).toBe('installed')
    expect(await other.installed()).toBe('changed')
    await Promise.all([
      other.install(),
      other.install(),
      bench.pubSub(0).watch(t, { stream, where: 'n > 1' }).install(),
    ])
    expect([await watch.installed(), await other.installed()]).toEqual(['changed', 'installed'])
    const triggers = () =>
      sql(`select tgname, xmin::text from pg_trigger where tgrelid = '${t}'::regclass order by 1`)
    const before = await triggers()
    expect(before).toHaveLength(4)
    await other.install()
    expect(await triggers()).toEqual(before)
    await sql(`alter table ${t} disable trigger all`)
    expect(await other.installed()).toBe('changed')
    await other.install()
    expect(await other.installed()).toBe('installed')
    await sql(`insert into ${t} values (1, 1), (2, 2)`)
    expect(await told(other)).toHaveLength(1)
    await other.remove()
    await other.remove()
    expect(await other.installed()).toBe('absent')
    expect(await triggers()).toEqual([])
    expect(
      await sql(`select proname from pg_proc where obj_description(oid) like '%${stream}"%'`),
    ).toEqual([])
  })

  test('move a stream from one table to another', async () => {
    const { t, watch } = await watched('id int primary key', { stream: bench.fresh() })
    await sql(`create table ${t}_b (id int primary key)`)
    await bench.pubSub().watch(`${t}_b`, { stream: watch.stream.name }).install()
    await sql(`insert into ${t} values (1); insert into ${t}_b values (2)`)
    expect(await told(watch)).toMatchObject([{ key: { id: 2 } }])
    expect(await watch.installed()).toBe('changed')
  })

  test('run from the SQL they write, with any names', async () => {
    const schema = 'we "ird\\'
    const table = "t'a.b%s {{x}}"
    await sql(`create schema "we ""ird\\"`)
    await sql(
      `create table "we ""ird\\"."t'a.b%s {{x}}" ("I D" int primary key, "%L '\\" text, "count" int)`,
    )
    const watch = bench.pubSub().watch([schema, table], {
      stream: "s'%s {{stream}}\\",
      where: `"%L '\\" <> '{{options}} %s'`,
      columns: ["%L '\\", 'count'],
    })
    await watch.stream.head()
    const { up, down } = watch.sql()
    for (const statement of [...up, ...up]) await sql(statement)
    expect(await watch.installed()).toBe('installed')
    await sql(
      `insert into "we ""ird\\"."t'a.b%s {{x}}" values (1, 'x', 2), (2, '{{options}} %s', 3)`,
    )
    await sql(
      `insert into "we ""ird\\"."t'a.b%s {{x}}" select n, 'x', n from generate_series(10, 99) n`,
    )
    const changes = await told(watch)
    expect(changes[0]).toEqual({
      op: 'insert',
      key: { 'I D': 1 },
      row: { "%L '\\": 'x', count: 2 },
    })
    expect(changes).toHaveLength(91)
    expect(await new Replica().bootstrap(watch)).toBe('1:91')
    for (const statement of [...down, ...down]) await sql(statement)
    expect(await watch.installed()).toBe('absent')
  })

  test('refuse what cannot be watched, and say what to do', async () => {
    const pubSub = bench.pubSub()
    const t = bench.fresh().replace('-', '_')
    await sql(`create table ${t} (id int primary key, n int)`)
    await sql(`create table ${t}_keyless (id int)`)
    await sql(`create table ${t}_deferrable (id int primary key deferrable)`)
    await sql(`create view ${t}_view as select 1 as id`)
    await sql(`create table ${t}_parent (id int primary key) partition by range (id)`)
    await sql(`create table ${t}_part partition of ${t}_parent for values from (0) to (10)`)
    const install = (table: string, options?: WatchOptions) =>
      pubSub
        .watch(table, options)
        .install()
        .then(() => 'ok', code)
    expect(await install(`${t}_none`)).toBe('PUBSUB_UNKNOWN_TABLE')
    expect(await install(t, { columns: ['n', 'm'] })).toBe('PUBSUB_UNKNOWN_COLUMN')
    expect(await install(`${t}_keyless`)).toBe('PUBSUB_UNWATCHABLE_TABLE')
    expect(await install(`${t}_deferrable`)).toBe('PUBSUB_UNWATCHABLE_TABLE')
    expect(await install(`${t}_view`)).toBe('PUBSUB_UNWATCHABLE_TABLE')
    expect(await install(`${t}_part`)).toBe('PUBSUB_UNWATCHABLE_TABLE')
    for (const where of ['m > 1', 'n >', 'count(*) > 1', '1; drop table x', 'ctid is null', 'n']) {
      expect([where, await install(t, { where })]).toEqual([
        where,
        where === 'n' ? 'ok' : 'PUBSUB_INVALID_CONDITION',
      ])
    }
    expect(await pubSub.watch(`${t}_none`).installed()).toBe('absent')
    expect(await pubSub.watch(`${t}_none`).bootstrap().catch(code)).toBe('PUBSUB_NOT_WATCHED')
    for (const [table, options] of [
      [t, { columns: [] }],
      [t, { where: '' }],
      [t, { where: 'a\0' }],
      [t, { stream: '' }],
      [t, { diff: 1 }],
      [[], {}],
      [['a', 'b', 'c'], {}],
    ] as [string, WatchOptions][]) {
      expect(() => pubSub.watch(table, options)).toThrow(/must|Leave/)
    }
  })
})
