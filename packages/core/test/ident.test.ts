import { type TestDatabase, testDatabase } from '@howdah/testkit'
import fc from 'fast-check'
import type { Pool } from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ident, literal } from '../src/index.js'

let database: TestDatabase
let pool: Pool

beforeAll(async () => {
  database = await testDatabase()
  pool = database.pool({ max: 1 })
})
afterAll(() => database.close())

const invalid = expect.objectContaining({ code: 'CORE_INVALID_NAME' })
const nasty = fc.constantFrom('"', "'", '\\', '$1', '?', '--', ';', '.', '%', '\n', 'é', '🐘', 'A')
/** Text that a server in UTF-8 can hold, with more than chance would give of what quoting is about. */
const text = fc
  .array(fc.oneof(nasty, fc.string({ unit: 'binary', maxLength: 4 })), { maxLength: 12 })
  .map((parts) => parts.join('').replaceAll('\0', ''))

test('ident() names any name of up to 63 bytes, for the server as for us', async () => {
  const name = text.filter((name) => name !== '' && Buffer.byteLength(name) <= 63)
  await fc.assert(
    fc.asyncProperty(name, name, async (column, table) => {
      const { fields, rows } = await pool.query(
        `select ${ident(table, column)} from (select 1 as ${ident(column)}) as ${ident(table)}`,
      )
      expect(fields.map((field) => field.name)).toEqual([column])
      expect(rows[0][column]).toBe(1)
      const parsed = await pool.query('select parse_ident($1::text) as path', [
        ident(table, column),
      ])
      expect(parsed.rows[0].path).toEqual([table, column])
    }),
    { numRuns: 200 },
  )
})

test('literal() is any text, whatever standard_conforming_strings says', async () => {
  for (const setting of ['on', 'off']) {
    await pool.query(`set standard_conforming_strings = ${setting}`)
    await fc.assert(
      fc.asyncProperty(text, async (value) => {
        const { rows } = await pool.query(`select ${literal(value)}::text as value`)
        expect(rows[0].value).toBe(value)
      }),
      { numRuns: 150 },
    )
  }
})

test.each([
  ['an empty name', ''],
  ['NUL', 'a\0b'],
  ['64 bytes', 'a'.repeat(64)],
  ['64 bytes in fewer characters', '🐘'.repeat(16)],
  ['a lone surrogate', 'a\ud800'],
  ['a huge name', 'a'.repeat(1e6)],
  ['no string', 5],
  ['null', null],
  ['an object that pretends', { toString: () => 'a', replaceAll: () => 'b' }],
])('ident() refuses %s', (_, name) => {
  expect(() => ident(name as string)).toThrow(invalid)
  expect(() => ident('schema', name as string)).toThrow(invalid)
})

test('literal() refuses what the server could not hold', () => {
  for (const value of ['\0', 'a\0b', '\ud800', 'a\udfff']) {
    expect(() => literal(value)).toThrow(invalid)
  }
})
