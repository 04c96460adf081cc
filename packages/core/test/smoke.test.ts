import { Pool } from 'pg'
import { expect, test } from 'vitest'
import { Database, ident } from '../src/index.js'

test('from() takes a pg.Pool and answers the same database for it', () => {
  const pool = new Pool()
  expect(Database.from(pool)).toBe(Database.from(pool))
  expect(ident('we "ird')).toBe('"we ""ird"')
})
