import { Database, isHowdahError } from '@howdah/core'
import { SearchIndex, type SearchIndexOptions } from '@howdah/search'
import { type TestDatabase, testDatabase } from '@howdah/testkit'
import type { Pool } from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'

let database: TestDatabase
let pool: Pool

beforeAll(async () => {
  database = await testDatabase()
  pool = database.pool()
})
afterAll(() => database.close())

const quote = (name: string) => `"${name.replaceAll('"', '""')}"`
const HOSTILE = [
  'we "ird',
  "it's; drop table x; --",
  'a.b',
  ' spaces and\ttab',
  '$$ $1 $body$',
  'back\\slash',
  '__proto__',
  'ß'.repeat(31),
  'select',
]

test('names with quotes, spaces, dots and dollars work everywhere', async () => {
  for (const [at, name] of HOSTILE.entries()) {
    const own = database.pool({ max: 2 })
    const db = Database.from(own, { schema: `${name.slice(0, 40)}!` })
    const column = (n: number) => HOSTILE[(at + n) % HOSTILE.length] as string
    const table = `${quote(`t${at}`)}.${quote(name)}`
    await pool.query(`create schema t${at}`)
    await pool.query(`create table ${table} (
      ${quote(column(0))} text primary key, ${quote(column(1))} text, ${quote(column(2))} text,
      ${quote(column(3))} text, ${quote(column(4))} int)`)
    await pool.query(`insert into ${table} values ($1, 'green apple', 'red', $1, 1)`, [name])
    const fields = Object.fromEntries([
      [column(1), { weight: 2 }],
      [column(2), {}],
    ])
    const index = new SearchIndex(name, {
      pool: db,
      table: { schema: `t${at}`, name },
      key: column(0),
      fields,
      facets: [column(3)],
      sort: [column(4)],
    })
    await index.attach()
    await pool.query(`insert into ${table} values ('second', 'apple', 'blue', 'x', 2)`)
    const found = await index.search('apple', {
      filters: JSON.parse(
        JSON.stringify([[column(3), name]]).replace(/^\[\[(.*),(.*)\]\]$/, '{$1:$2}'),
      ),
      facets: [column(3)],
    })
    expect(found.total).toBe(1)
    expect(found.hits[0]?.key).toBe(name)
    expect(Object.getOwnPropertyDescriptor(found.facets, column(3))?.value).toContainEqual({
      value: name,
      count: 1,
    })
    expect((await index.search('', { sort: [column(4)] })).hits).toHaveLength(2)
    expect((await index.stats()).errors).toEqual([])
    await index.detach()
  }
})

test('a key of any type finds its row', async () => {
  const keys: [type: string, value: string][] = [
    ['uuid', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'],
    ['timestamptz', '2026-03-04 05:06:07.123456+02'],
    ['date', '2026-03-04'],
    ['numeric(20,3)', '12345678901234567.890'],
    ['double precision', '0.1'],
    ['bytea', '\\x00ff'],
    ['interval', '1 year 2 days 03:04:05.5'],
    ['char(5)', 'ab'],
    ['inet', '10.0.0.1/8'],
    ['text[]', '{a,"b c"}'],
    ['bit(5)', '10101'],
    ['mood', 'so "so"'],
  ]
  await pool.query(`create type mood as enum ('so "so"')`)
  // A writer whose settings give values another form than a reader's.
  const writer = await pool.connect()
  await writer.query(`set datestyle = 'SQL, DMY'`)
  await writer.query(`set timezone = 'Asia/Tokyo'`)
  await writer.query(
    `set extra_float_digits = 0; set bytea_output = 'escape'; set intervalstyle = 'iso_8601'`,
  )
  try {
    for (const [type, value] of keys) {
      await pool.query(`create table keyed (key ${type} primary key, text text)`)
      const index = new SearchIndex('keyed', {
        pool,
        table: 'keyed',
        key: 'key',
        fields: { text: {} },
      })
      await index.attach()
      await writer
        .query(`insert into keyed values ($1::text::${type}, 'green text')`, [
          type === 'timestamptz' || type === 'date' ? null : value,
        ])
        .catch(async () => {
          await pool.query(`insert into keyed values ($1::text::${type}, 'old')`, [value])
          await writer.query(`update keyed set text = 'green text'`)
        })
      expect((await index.search('green')).total, type).toBe(1)
      await pool.query(`update keyed set text = 'purple'`)
      expect((await index.search('green')).total, type).toBe(0)
      expect((await index.search('purple')).hits[0]?.row, type).toHaveProperty('text', 'purple')
      await writer.query('delete from keyed')
      expect((await index.stats()).documents, type).toBe(0)
      await index.detach()
      await pool.query('drop table keyed')
    }
  } finally {
    writer.release(true)
  }
})

test('a partitioned table is indexed through its parent', async () => {
  await pool.query('create table part (id int primary key, text text) partition by range (id)')
  await pool.query('create table part_1 partition of part for values from (0) to (10)')
  await pool.query('create table part_2 partition of part for values from (10) to (20)')
  const index = new SearchIndex('part', { pool, table: 'part', key: 'id', fields: { text: {} } })
  await pool.query(`insert into part values (1, 'one')`)
  await index.attach()
  await pool.query(`insert into part values (11, 'two')`)
  await pool.query(`update part set id = 12, text = 'moved' where id = 1`)
  const { hits } = await index.search('one two moved')
  expect(hits.map((hit) => hit.key).sort()).toEqual(['11', '12'])
  await index.detach()
})

test('options are validated where the object is made', () => {
  const good: SearchIndexOptions = { pool, table: 'a.b', key: 'id', fields: { title: {} } }
  const code = (more: object, name: unknown = 'x') => {
    try {
      new SearchIndex(name as string, { ...good, ...more } as SearchIndexOptions)
      return undefined
    } catch (error) {
      return isHowdahError(error) ? error.code : error
    }
  }
  const invalid = 'SEARCH_INVALID_OPTION'
  expect(code({})).toBeUndefined()
  for (const name of ['', 7, 'a\0', '\ud800', 'x'.repeat(201)]) expect(code({}, name)).toBe(invalid)
  for (const table of ['', 'a.b.c', '.', 7, null, {}, { name: 'x'.repeat(64) }, { name: 'a\0' }]) {
    expect(code({ table })).toBe(invalid)
  }
  expect(code({ key: '' })).toBe(invalid)
  for (const fields of [
    undefined,
    null,
    {},
    { '': {} },
    { a: { weight: 0 } },
    { a: { weight: '2' } },
  ]) {
    expect(code({ fields })).toBe(invalid)
  }
  expect(code({ fields: { a: { weight: Number.NaN } } })).toBe(invalid)
  const five = Object.fromEntries([1, 2, 3, 4, 5].map((weight) => [`c${weight}`, { weight }]))
  expect(code({ fields: five })).toBe(invalid)
  expect(code({ facets: 'category' })).toBe(invalid)
  expect(code({ facets: Array.from({ length: 51 }, (_, n) => `c${n}`) })).toBe(invalid)
  expect(code({ filters: [''] })).toBe(invalid)
  expect(code({ sort: [{ column: 'a', order: 'up' }] })).toBe(invalid)
  expect(code({ sort: [null] })).toBe(invalid)
  expect(code({ language: 'a.b.c' })).toBe(invalid)
  expect(code({ pool: {} })).toBe('CORE_INVALID_SOURCE')
})

test('close() refuses further calls', async () => {
  const index = new SearchIndex('x', { pool, table: 'a', key: 'id', fields: { title: {} } })
  await index.close()
  await expect(index.search('x')).rejects.toMatchObject({ code: 'SEARCH_CLOSED' })
  await expect(index.attach()).rejects.toMatchObject({ code: 'SEARCH_CLOSED' })
})
