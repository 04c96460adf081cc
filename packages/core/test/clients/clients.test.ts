import { type TestDatabase, testDatabase } from '@howdah/testkit'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  Database,
  defineStatement,
  ident,
  resolveClient,
  sqlState,
  type TransactionHandle,
} from '../../src/index.js'
import { libraries, type OpenLibrary } from './libraries.js'

/** Everything that some library's placeholders, or a quoting mistake, would stumble over. */
const schema = 'we "ird ?\\? :name $1 --'
const s = ident(schema)

const insertEntry = defineStatement<[id: number], { id: number }>(
  'test.insert-entry',
  (s) => `insert into ${s}.entry (id) values ($1::int) returning id`,
  (id) => [id],
)
const divide = defineStatement<[by: number]>(
  'test.divide',
  () => 'select 1 / $1::int as n',
  (by) => [by],
)
const countEntries = defineStatement<[], { n: number }>(
  'test.count-entries',
  (s) => `select count(*)::int as n from ${s}.entry`,
  () => [],
)

interface Values {
  readonly texts: readonly (string | null)[]
  readonly ints: readonly number[]
  readonly json: string
  readonly bytes: Buffer
  readonly blobs: readonly Buffer[]
  readonly int: number
  readonly double: number
  readonly bool: boolean
  readonly big: string
  readonly nothing: null
}

const echo = defineStatement<[Values], Record<string, unknown>>(
  'test.echo',
  () => `select to_jsonb($1::text[]) as texts, to_jsonb($2::int[]) as ints, $3::text::jsonb as json, $4::bytea as bytes,
      (select string_agg(b, null) from unnest($5::bytea[]) b) as blobs, $6::int as int,
      $7::double precision as double, $8::boolean as bool, not $8::boolean as "notBool",
      $9::bigint::text as big, $10::text as nothing, $10::int as "noInt"`,
  (v) => [v.texts, v.ints, v.json, v.bytes, v.blobs, v.int, v.double, v.bool, v.big, v.nothing],
)

const hostile = `'";\\ --{}, \u0001 é 🐘 2020-01-01T00:00:00.000Z NULL`
const values: Values = {
  texts: ['a', '', null, 'NULL', 'null', hostile, '{"a",b}', ' padded '],
  ints: [0, -1, 2_147_483_647],
  json: `{"a": [1, null, ${JSON.stringify(hostile)}], "__proto__": {"x": 1}, "n": 1e300}`,
  bytes: Buffer.from([0, 1, 92, 39, 127, 128, 255]),
  blobs: [Buffer.from([0, 255]), Buffer.from('"\\')],
  int: -2_147_483_648,
  double: 1.7976931348623157e308,
  bool: true,
  big: '9007199254740993',
  nothing: null,
}

let database: TestDatabase

beforeAll(async () => {
  database = await testDatabase()
  const pool = database.pool()
  await pool.query(`create schema ${s}`)
  await pool.query(`create table ${s}.entry (id int primary key)`)
})

afterAll(() => database.close())

describe.each(Object.entries(libraries))('a transaction of %s', (name, open) => {
  let library: OpenLibrary
  let db: Database
  const id = () => Math.floor(Math.random() * 2 ** 31)

  beforeAll(async () => {
    library = await open(database.url)
    db = Database.from(library.source, { schema })
    if (db.kind === 'pglite') {
      await db.query({ name: '', text: `create schema ${s}`, values: [] })
      await db.query({ name: '', text: `create table ${s}.entry (id int primary key)`, values: [] })
    }
    await db.query({ name: '', text: `truncate ${s}.entry`, values: [] })
  })

  afterAll(async () => {
    await db.close()
    await library.close()
  })

  const count = async () => (await db.query(countEntries(db.schema)))[0]?.n

  test('commits our writes with it, and shows them to nobody before', async () => {
    const before = (await count()) ?? 0
    const rows = await library.transaction(async (tx) => {
      const inserted = await db.query(insertEntry(db.schema, 7), tx)
      expect(await db.query(countEntries(db.schema), tx)).toEqual([{ n: before + 1 }])
      // The one connection of PGlite cannot look on meanwhile.
      if (db.kind === 'pg') expect(await count()).toBe(before)
      return inserted
    })
    expect(rows).toEqual([{ id: 7 }])
    expect(await count()).toBe(before + 1)
  })

  test('rolls our writes back with it', async () => {
    const before = await count()
    const failed = library.transaction(async (tx) => {
      await db.query(insertEntry(db.schema, id()), tx)
      throw new Error('changed my mind')
    })
    await expect(failed).rejects.toThrow('changed my mind')
    expect(await count()).toBe(before)
  })

  test('brings parameters and rows of every type over unchanged', async () => {
    const rows = await library.transaction((tx) => db.query(echo(db.schema, values), tx))
    expect(rows).toEqual([
      {
        ...values,
        json: JSON.parse(values.json),
        blobs: Buffer.concat(values.blobs),
        notBool: false,
        noInt: null,
      },
    ])
    for (const column of ['bytes', 'blobs']) {
      expect(Buffer.isBuffer(rows[0]?.[column]), column).toBe(true)
    }
    expect(Array.isArray(rows)).toBe(true)
  })

  test('brings empty arrays, empty bytes and false over', async () => {
    const empty = { ...values, texts: [], ints: [], bytes: Buffer.alloc(0), blobs: [], bool: false }
    const [row] = await library.transaction((tx) => db.query(echo(db.schema, empty), tx))
    expect(row).toMatchObject({ texts: [], ints: [], bytes: Buffer.alloc(0), bool: false })
  })

  test('answers no rows with an empty array', async () => {
    const rows = await library.transaction((tx) =>
      db.query({ name: '', text: `delete from ${s}.entry where id = $1::int`, values: [-1] }, tx),
    )
    expect(rows).toEqual([])
  })

  test('fails with a reachable SQLSTATE when a statement of ours fails, and keeps nothing', async () => {
    const before = await count()
    let caught: unknown
    const failed = library.transaction(async (tx) => {
      await db.query(insertEntry(db.schema, id()), tx)
      await db.query(divide(db.schema, 0), tx).catch((error: unknown) => {
        caught = error
        throw error
      })
    })
    await expect(failed).rejects.toThrow()
    expect(sqlState(caught)).toBe('22012')
    expect(await count()).toBe(before)
  })

  test('is told from the object it was begun on, which is refused', async () => {
    if (library.root === undefined) return
    const write = db.query(insertEntry(db.schema, id()), library.root as TransactionHandle)
    await expect(write).rejects.toMatchObject({ code: 'CORE_CLIENT_IS_POOL' })
  })

  test('sees no callback called after commit unless we see its end', async () => {
    let called = false
    const seen = await library.transaction(async (tx) =>
      db.afterCommit(tx, () => {
        called = true
      }),
    )
    expect(seen).toBe(name === 'Howdah Transaction')
    expect(called).toBe(seen)
  })
})

describe('resolveClient()', () => {
  const strangers: [string, unknown][] = [
    ['nothing', undefined],
    ['null', null],
    ['a string', 'begin'],
    ['an empty object', {}],
    ['a function', () => {}],
    ['an object without prototype', Object.create(null)],
    ['an object that only looks like Drizzle', { _: { session: { client: {} } } }],
    [
      'an object that only looks like Knex',
      Object.assign(() => {}, {
        raw() {},
        transaction() {},
        isTransaction: true,
        client: { driverName: 'mysql2' },
      }),
    ],
  ]

  test.each(strangers)('refuses %s', (_, stranger) => {
    expect(() => resolveClient(stranger as TransactionHandle)).toThrow(
      expect.objectContaining({ code: 'CORE_UNKNOWN_CLIENT' }),
    )
  })

  test('takes an object that has query() in the form of pg', async () => {
    const rows = [{ n: 1 }]
    const client = { query: async () => ({ rows }) }
    expect(await resolveClient(client).query({ text: 'select 1' })).toEqual({ rows })
  })
})
