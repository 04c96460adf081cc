import { PGlite } from '@electric-sql/pglite'
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { Database, ident, type Statement, sqlState } from '../src/index.js'

const sql = <Row = unknown>(text: string, ...values: unknown[]): Statement<Row> => ({
  name: 'howdah.test',
  text,
  values,
})
const schema = 'we "ird'

describe('a Database on PGlite', () => {
  let pglite: PGlite
  let db: Database

  beforeAll(async () => {
    pglite = new PGlite()
    db = Database.from(pglite, { schema })
    await pglite.exec(
      `create schema ${ident(schema)}; create table ${ident(schema)}.entry (id int)`,
    )
  })
  beforeEach(async () => {
    await pglite.exec(`truncate ${ident(schema)}.entry`)
  })
  afterAll(async () => {
    await db.close()
    expect(pglite.closed).toBe(false)
    await pglite.close()
  })

  const insert = (id: number) => sql(`insert into ${db.schema}.entry values ($1::int)`, id)
  const count = async () =>
    (await db.query(sql<{ n: number }>(`select count(*)::int as n from ${db.schema}.entry`)))[0]?.n

  test('is one for each PGlite and schema', () => {
    expect(Database.from(pglite, { schema })).toBe(db)
    expect(db.kind).toBe('pglite')
  })

  test('query() gives bytes as Buffer and errors with SQLSTATE', async () => {
    const [row] = await db.query(sql<{ b: Buffer }>('select $1::bytea as b', Buffer.from([0, 255])))
    expect(Buffer.isBuffer(row?.b)).toBe(true)
    expect(row?.b).toEqual(Buffer.from([0, 255]))
    const error = await db.query(sql('select 1 / 0')).catch((error: unknown) => error)
    expect(sqlState(error)).toBe('22012')
  })

  test('transaction() commits and then calls back', async () => {
    const callback = vi.fn()
    await db.transaction(async (tx) => {
      tx.afterCommit(callback)
      await db.query(insert(1), tx)
      expect(callback).not.toHaveBeenCalled()
    })
    expect(callback).toHaveBeenCalledOnce()
    expect(await count()).toBe(1)
  })

  test('transaction() rolls back when its function throws', async () => {
    const failed = db.transaction(async (tx) => {
      await db.query(insert(1), tx)
      throw new RangeError('no')
    })
    await expect(failed).rejects.toThrow(RangeError)
    expect(await count()).toBe(0)
  })

  test('transaction() fails when the error of a statement was swallowed', async () => {
    const callback = vi.fn()
    const swallowed = db.transaction(async (tx) => {
      tx.afterCommit(callback)
      await db.query(insert(1), tx)
      await db.query(sql('select 1 / 0'), tx).catch(() => {})
    })
    await expect(swallowed).rejects.toMatchObject({ code: 'CORE_TRANSACTION_ABORTED' })
    expect(callback).not.toHaveBeenCalled()
    expect(await count()).toBe(0)
  })

  test('transaction() commits after a savepoint took the failed statement back', async () => {
    await db.transaction(async (tx) => {
      await db.query(insert(1), tx)
      await tx.query('savepoint before')
      await tx.query('select 1 / 0').catch(() => tx.query('rollback to savepoint before'))
    })
    expect(await count()).toBe(1)
  })

  test('iterate() gives all rows in order while the loop queries and writes', async () => {
    const rows: number[] = []
    const numbers = sql<{ n: number }>('select n from generate_series(1, $1::int) n', 25)
    for await (const { n } of db.iterate(numbers, { batchSize: 10 })) {
      if (n % 10 === 0) await db.transaction((tx) => db.query(insert(n), tx))
      rows.push(n)
    }
    expect(rows).toEqual(Array.from({ length: 25 }, (_, i) => i + 1))
    expect(await count()).toBe(2)
  })

  test('iterate() closes its cursor when the loop is left early, and when the statement fails', async () => {
    const numbers = sql('select n from generate_series(1, 100) n')
    for await (const _ of db.iterate(numbers, { batchSize: 10 })) break
    const failing = db.iterate(sql('select 1 / (5 - n) from generate_series(1, 10) n'))
    await expect(failing.next()).rejects.toMatchObject({ code: '22012' })
    expect(await db.query(sql("select name from pg_cursors where name <> ''"))).toEqual([])
  })

  test('several iterate() run side by side', async () => {
    const collect = async (to: number) => {
      const rows: unknown[] = []
      const numbers = sql('select n from generate_series(1, $1::int) n', to)
      for await (const row of db.iterate(numbers, { batchSize: 3 })) rows.push(row)
      return rows.length
    }
    expect(await Promise.all([10, 7, 0, 3].map(collect))).toEqual([10, 7, 0, 3])
  })
})
