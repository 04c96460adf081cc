import { Database } from '@howdah/core'
import type pg from 'pg'
import { describe, expect, test } from 'vitest'
import { PubSub, type Watch, type WatchOptions } from '../src/index.js'
import { TwoProcesses } from './two-processes.js'
import { type AnyRow, Replica, told } from './watch-support.js'

const bench = new TwoProcesses()
const sql = (text: string) => bench.rows<AnyRow>(text)
const admin = (text: string) => bench.admin.query(text)

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

/** A pool of a role that may do nothing but what is granted to it. */
async function poolOf(role: string): Promise<pg.Pool> {
  await admin(`create role ${role}`)
  return bench.database.adminPool({ options: `-c role=${role}` })
}

describe('values', () => {
  test('of every kind are told, whatever the settings of the writer', async () => {
    const t = bench.fresh().replace('-', '_')
    await sql(`create type ${t}_pair as (a bigint, b text)`)
    await sql(`create type ${t}_mood as enum ('good')`)
    await sql(`create domain ${t}_big as bigint check (value > 0)`)
    const columns = {
      big: [`bigint`, '9007199254740993', '9007199254740993'],
      domain: [`${t}_big`, '9007199254740993', '9007199254740993'],
      bigs: ['bigint[]', `'{{9007199254740993,null}}'`, [['9007199254740993', null]]],
      num: ['numeric', `'1.50'`, '1.50'],
      nan: ['numeric', `'NaN'`, 'NaN'],
      inf: ['numeric', `'Infinity'`, 'Infinity'],
      f: ['float8', `'-Infinity'`, '-Infinity'],
      f1: ['float8', '0.1::float8 + 0.2', 0.30000000000000004],
      i: ['int', '7', 7],
      b: ['boolean', 'true', true],
      none: ['text', 'null', null],
      ts: ['timestamptz', `'2026-01-02 03:04:05.678901+02'`, '2026-01-02T01:04:05.678901+00:00'],
      tsi: ['timestamptz', `'infinity'`, 'infinity'],
      bc: ['date', `'0044-03-15 BC'`, '0044-03-15 BC'],
      iv: ['interval', `'1 day 2 hours'`, 'P1DT2H'],
      bytes: ['bytea', `'\\x00ff'`, '\\x00ff'],
      json: ['json', `'{"a":"\\u0000", "a" : 1e400}'`, { a: Number.POSITIVE_INFINITY }],
      jsonb: [
        'jsonb',
        `'{"__proto__": [1, {"x": null}]}'`,
        JSON.parse('{"__proto__":[1,{"x":null}]}'),
      ],
      jsons: ['json[]', `array['{"a":"\\u0000"}']::json[]`, [{ a: '\0' }]],
      pair: [`${t}_pair`, `(9007199254740993, 'x "y"')`, '(9007199254740993,"x ""y""")'],
      pairs: [`${t}_pair[]`, `array[(1, null)::${t}_pair]`, ['(1,)']],
      mood: [`${t}_mood`, `'good'`, 'good'],
      range: ['int8range', `'[1,9007199254740993)'`, '[1,9007199254740993)'],
      inet: ['inet', `'10.0.0.1'`, '10.0.0.1'],
      text: ['text', `E'\\x01\\x1e\\n"\\\\ \u{1F600}'`, '\x01\x1e\n"\\ \u{1F600}'],
      point: ['point', `'(1,2)'`, '(1,2)'],
      made: ['int generated always as (length(key)) stored', 'default', 1],
      xml: ['xml', `'<a/>'`, '<a/>'],
      tsv: ['tsvector', `'a b'`, `'a' 'b'`],
      array: ['text[]', `'[5:6]={x,NULL}'`, ['x', null]],
    } as const
    const entries = Object.entries(columns)
    await sql(
      `create table ${t} (key text primary key, ${entries.map(([name, [type]]) => `"${name}" ${type}`).join(', ')})`,
    )
    const watch = bench.pubSub().watch<AnyRow>(t, { old: true, diff: true })
    await watch.install()
    const client = await bench.pools[1].connect()
    await client.query(
      `set datestyle = 'German'; set timezone = 'Asia/Tokyo'; set intervalstyle = 'postgres_verbose'; set bytea_output = 'escape'; set extra_float_digits = -5`,
    )
    await client.query(
      `insert into ${t} values ('k', ${entries.map(([, [, value]]) => value).join(', ')})`,
    )
    await client.query(`update ${t} set i = 8`)
    client.release(true)
    const row = {
      key: 'k',
      ...Object.fromEntries(entries.map(([name, [, , value]]) => [name, value])),
    }
    const [inserted, ...rest] = await told(watch)
    expect(inserted).toEqual({ op: 'insert', key: { key: 'k' }, row })
    expect(rest).toEqual([
      { op: 'update', key: { key: 'k' }, row: { i: 8 }, old: { i: 7 }, changed: ['i'] },
    ])
    const replica = new Replica()
    await replica.bootstrap(watch)
    expect(Object.fromEntries(replica.rows)).toEqual({ k: { ...row, i: 8 } })
  })

  test('that are large are left out, and named', async () => {
    const { t, watch } = await watched('id int primary key, small text, big text, doc jsonb', {
      old: true,
    })
    await sql(`insert into ${t} values (1, 'x', repeat(chr(1), 3000000), '[]')`)
    await sql(`update ${t} set small = 'y'`)
    await sql(`update ${t} set big = repeat('z', 60000)`)
    await sql(`delete from ${t}`)
    const z = 'z'.repeat(60_000)
    expect(await told(watch)).toEqual([
      { op: 'insert', key: { id: 1 }, row: { id: 1, small: 'x', doc: [] }, omitted: ['big'] },
      {
        op: 'update',
        key: { id: 1 },
        row: { id: 1, small: 'y', doc: [] },
        old: { id: 1, small: 'x', doc: [] },
        omitted: ['big'],
      },
      {
        op: 'update',
        key: { id: 1 },
        row: { id: 1, small: 'y', big: z, doc: [] },
        old: { id: 1, small: 'y', doc: [] },
        omitted: ['big'],
      },
      { op: 'delete', key: { id: 1 }, old: { id: 1, small: 'y', big: z, doc: [] } },
    ])
  })

  test('that cannot be told make no write fail', async () => {
    const { t, watch } = await watched('id int primary key, n int, doc json', {
      where: '10 / n > 0',
    })
    await sql(`insert into ${t} values (1, 1)`)
    await sql(`insert into ${t} values (2, 0)`)
    await sql(`insert into ${t} select n, 5 from generate_series(3, 99) n`)
    await sql(`insert into ${t} select n, n % 2 from generate_series(100, 199) n`)
    await sql(`delete from ${t} where id in (2) or id >= 100`)
    // As some types of extensions have it, for values that JSON has no form for.
    await sql(`create type ${t}_shape as enum ('curve')`)
    await sql(
      `create function ${t}_json(${t}_shape) returns json language plpgsql as $$ begin raise 'no form'; end $$`,
    )
    await sql(`create cast (${t}_shape as json) with function ${t}_json(${t}_shape)`)
    await sql(`alter table ${t} add shape ${t}_shape`)
    await sql(`insert into ${t} values (200, 1, null, 'curve')`)
    const changes = await told(watch)
    expect(changes.filter(({ op }) => op === 'insert')).toHaveLength(98)
    expect(changes.filter(({ op }) => op === 'lost')).toMatchObject([
      { reason: '22012' },
      { reason: '22012' },
      { reason: '22012' },
      { reason: 'P0001' },
    ])
    expect(await sql(`select count(*)::int as n from ${t}`)).toEqual([{ n: 99 }])
  })
})

describe('a table that changes', () => {
  test('is followed in its new shape', async () => {
    const { t, watch } = await watched('id int primary key, a int, b text')
    const client = await bench.pools[1].connect()
    const write = (text: string) => client.query(text)
    await write(`insert into ${t} values (1, 1, 'b')`)
    expect(await watch.installed()).toBe('installed')
    await sql(`alter table ${t} add c bigint default 5`)
    await write(`update ${t} set c = 6`)
    expect(await watch.installed()).toBe('outdated')
    await sql(`alter table ${t} drop a`)
    await write(`update ${t} set c = 7`)
    await sql(`alter table ${t} rename b to "B"`)
    await write(`update ${t} set c = 8`)
    await sql(`alter table ${t} alter c type text using c::text`)
    await write(`update ${t} set c = '9'`)
    await sql(`alter table ${t} rename to ${t}_new`)
    await write(`update ${t}_new set c = '10'`)
    await sql(`alter table ${t}_new alter id type bigint`)
    await write(`update ${t}_new set c = '11'`)
    expect((await told(watch)).map((change) => 'row' in change && change.row)).toEqual([
      { id: 1, a: 1, b: 'b' },
      { id: 1, a: 1, b: 'b', c: '6' },
      { id: 1, b: 'b', c: '7' },
      { id: 1, B: 'b', c: '8' },
      { id: 1, B: 'b', c: '9' },
      { id: 1, B: 'b', c: '10' },
      { id: '1', B: 'b', c: '11' },
    ])
    const renamed = bench.pubSub().watch(`${t}_new`, { stream: watch.stream.name })
    await renamed.install()
    expect(await renamed.installed()).toBe('installed')
    client.release()
  })

  test('tells which watched columns it has no longer, and when it has no key', async () => {
    const { t, watch } = await watched('id int primary key, a int, b int', {
      columns: ['a', 'b'],
      where: 'b > 0',
    })
    await sql(`insert into ${t} values (1, 1, 1)`)
    await sql(`alter table ${t} rename a to a2`)
    await sql(`update ${t} set b = 2`)
    await sql(`alter table ${t} rename b to b2`)
    await sql(`update ${t} set b2 = 3`)
    await sql(`alter table ${t} rename b2 to b`)
    await sql(`alter table ${t} drop constraint ${t}_pkey`)
    await sql(`update ${t} set b = 4`)
    await sql(`alter table ${t} add primary key (b)`)
    await sql(`update ${t} set b = 5`)
    expect(await told(watch)).toEqual([
      { op: 'insert', key: { id: 1 }, row: { a: 1, b: 1 } },
      { op: 'update', key: { id: 1 }, row: { b: 2 }, omitted: ['a'] },
      { op: 'lost', reason: '42703' },
      { op: 'lost', reason: '42P16' },
      { op: 'delete', key: { b: 4 } },
      { op: 'insert', key: { b: 5 }, row: { b: 5 }, omitted: ['a'] },
    ])
  })

  test('meanwhile does not fail a transaction that began before', async () => {
    const { t, watch } = await watched('id int primary key, a int, b int')
    await sql(`insert into ${t} values (1, 1, 1)`)
    const client = await bench.pools[1].connect()
    await client.query('begin isolation level repeatable read')
    await client.query('select 1')
    await sql(`alter table ${t} drop a`)
    await client.query(`insert into ${t} values (2, 2)`)
    await client.query('commit')
    client.release()
    expect(await told(watch)).toMatchObject([
      { op: 'insert', key: { id: 1 } },
      { op: 'lost', reason: '42703' },
    ])
  })
})

describe('tables of other kinds', () => {
  test('of partitions are watched through the parent', async () => {
    const t = bench.fresh().replace('-', '_')
    await sql(`create table ${t} (id int, n int, primary key (id)) partition by range (id)`)
    await sql(`create table ${t}_0 partition of ${t} for values from (0) to (10)`)
    await sql(`create table ${t}_1 (n int, id int not null)`)
    await sql(`alter table ${t} attach partition ${t}_1 for values from (10) to (20)`)
    const watch = bench.pubSub().watch(t)
    await watch.install()
    await sql(`insert into ${t} values (1, 1), (2, 2), (11, 11)`)
    await sql(`update ${t} set id = id + 10 where id = 2`)
    await sql(`update ${t} set n = 0 where id in (1, 12)`)
    await sql(`delete from ${t} where id = 11`)
    expect((await told(watch)).map((c) => [c.op, 'key' in c && c.key['id']])).toEqual([
      ...[
        ['insert', 1],
        ['insert', 2],
        ['insert', 11],
      ],
      ...[
        ['delete', 2],
        ['insert', 12],
        ['update', 1],
        ['update', 12],
        ['delete', 11],
      ],
    ])
  })

  test('with children, without logging, with COPY and deferred constraints', async () => {
    const { t, watch } = await watched('id int primary key, n int')
    await sql(`create table ${t}_child (extra int) inherits (${t})`)
    await sql(`insert into ${t}_child values (5, 5, 5)`)
    await sql(`update ${t} set n = 6`)
    await sql(
      `create unlogged table ${t}_u (id int primary key, t int references ${t}_u deferrable initially deferred)`,
    )
    const unlogged = bench.pubSub().watch(`${t}_u`)
    await unlogged.install()
    await admin(`copy ${t}_u from program 'printf "1\\t2\\n2\\t1\\n"'`)
    expect(await told(watch)).toEqual([{ op: 'update', key: { id: 5 }, row: { id: 5, n: 6 } }])
    expect(await told(unlogged)).toHaveLength(2)
  })

  test('are written by roles that have no rights on our schema, under row level security', async () => {
    const { t, watch } = await watched('id int primary key, owner text, n int', { where: 'n > 0' })
    const role = `${t}_writer`
    await sql(`alter table ${t} enable row level security`)
    await sql(`create policy own on ${t} using (owner = current_user)`)
    const client = await (await poolOf(role)).connect()
    try {
      await sql(`grant select, insert, update, delete, truncate on ${t} to ${role}`)
      for (const isolation of ['read committed', 'repeatable read', 'serializable']) {
        await client.query(`begin isolation level ${isolation}`)
        await client.query(`insert into ${t} values (1, current_user, 1)`)
        await client.query(`update ${t} set n = 2`)
        await client.query(`delete from ${t}`)
        await client.query('commit')
      }
      await client.query(`truncate ${t}`)
      expect((await told(watch)).map(({ op }) => op)).toEqual([
        ...[
          'insert',
          'update',
          'delete',
          'insert',
          'update',
          'delete',
          'insert',
          'update',
          'delete',
        ],
        'truncate',
      ])
      // Nor can such a role use the function for a table of its own.
      const [found] = await sql(
        `select tgfoid::regproc::text as f from pg_trigger where tgrelid = '${t}'::regclass limit 1`,
      )
      await admin(`grant usage on schema howdah to ${role}`)
      await client.query('create temp table mine (id int primary key)')
      await expect(
        client.query(
          `create trigger x after truncate on mine for each statement execute function ${found?.['f']}()`,
        ),
      ).rejects.toThrow(/permission denied/)
    } finally {
      client.release(true)
      await admin(`drop owned by ${role}; drop role ${role}`)
    }
  })

  test('with virtual columns are watched without them', async () => {
    const [version] = await sql(`select current_setting('server_version_num')::int as n`)
    if (Number(version?.['n']) < 180_000) return
    const { t, watch } = await watched(
      'id int primary key, n int, twice int generated always as (n * 2) virtual',
      { where: 'n > 0' },
    )
    await sql(`insert into ${t} values (1, 1)`)
    expect(await told(watch)).toEqual([{ op: 'insert', key: { id: 1 }, row: { id: 1, n: 1 } }])
    const install = (options: WatchOptions) => bench.pubSub().watch(t, options).install()
    await expect(install({ where: 'twice > 2' })).rejects.toMatchObject({
      code: 'PUBSUB_INVALID_CONDITION',
    })
    await expect(install({ columns: ['twice'] })).rejects.toMatchObject({
      code: 'PUBSUB_UNKNOWN_COLUMN',
    })
  })

  test('that another role owns are refused', async () => {
    const t = bench.fresh().replace('-', '_')
    const pool = await poolOf(`${t}_owner`)
    await sql(`create table ${t} (id int primary key)`)
    await admin(
      `grant all on schema howdah to ${t}_owner; grant all on all tables in schema howdah to ${t}_owner; grant execute on all routines in schema howdah to ${t}_owner`,
    )
    const pubSub = new PubSub({ pool })
    await expect(pubSub.watch(t).install()).rejects.toMatchObject({
      code: 'PUBSUB_NOT_TABLE_OWNER',
    })
    await admin(`alter table ${t} owner to ${t}_owner`)
    await pubSub.watch(t).install()
    await admin(`insert into ${t} values (1)`)
    expect(await told(pubSub.watch(t))).toHaveLength(1)
    await pubSub.watch(t).remove()
    await pubSub.close()
    await Database.from(pool).close()
    await admin(`drop owned by ${t}_owner; drop role ${t}_owner`)
  })
})
