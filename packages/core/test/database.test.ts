import { type TestDatabase, testDatabase } from '@howdah/testkit'
import { type Pool, type PoolClient, default as pg } from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import {
  Database,
  type DatabaseOptions,
  type DatabaseSource,
  defineStatement,
  ident,
  type Statement,
  statementName,
  type Transaction,
} from '../src/index.js'

const sql = (text: string, ...values: unknown[]): Statement<Record<string, unknown>> => ({
  name: statementName('test', text),
  text,
  values,
})
const insertEntry = defineStatement<[id: number]>(
  'test.insert-entry',
  (s) => `insert into ${s}.entry (id) values ($1::int)`,
  (id) => [id],
)
const listEntries = defineStatement<[], { id: number }>(
  'test.list-entries',
  (s) => `select id from ${s}.entry order by id`,
  () => [],
)

let database: TestDatabase
let pool: Pool
let db: Database

beforeAll(async () => {
  database = await testDatabase()
  pool = database.pool({ max: 4 })
  db = Database.from(pool)
  await pool.query('create schema if not exists howdah')
  await pool.query('create table howdah.entry (id int primary key deferrable initially deferred)')
})
beforeEach(() => pool.query('truncate howdah.entry'))
afterAll(async () => {
  await db.close()
  await database.close()
})

const ids = async () => (await db.query(listEntries(db.schema))).map((row) => row.id)

describe('Database.from()', () => {
  test('answers one database for each pool and schema', async () => {
    const other = database.pool()
    expect(Database.from(pool)).toBe(db)
    expect(Database.from(db)).toBe(db)
    expect(Database.from(pool, { schema: 'other' })).not.toBe(db)
    expect(Database.from(pool, { schema: 'other' })).toBe(Database.from(pool, { schema: 'other' }))
    expect(Database.from(other)).not.toBe(db)
    await Database.from(pool, { schema: 'other' }).close()
  })

  test('makes another once the first is closed', async () => {
    const options = { schema: 'closing' }
    const first = Database.from(pool, options)
    await first.close()
    await first.close()
    const second = Database.from(pool, options)
    expect(second).not.toBe(first)
    await second.close()
    expect(pool.ended).toBe(false)
  })

  test.each<[string, DatabaseOptions]>([
    ['migrate', { migrate: 'manual' }],
    ['listen', { listen: false }],
    ['prepare', { prepare: false }],
  ])('refuses another value of %s than the shared database has', (name, options) => {
    for (const source of [pool, db]) {
      expect(() => Database.from(source, options)).toThrow(
        expect.objectContaining({
          code: 'CORE_CONFLICTING_OPTIONS',
          message: expect.stringContaining(`'${name}'`),
        }),
      )
    }
    expect(() => Database.from(db, { schema: 'other' })).toThrow("'schema'")
  })

  test.each<[string, unknown]>([
    ['nothing', undefined],
    ['a connection string', 'postgres://localhost'],
    ['pool options', { connectionString: '' }],
    ['an object that queries but gives no connection', { query() {} }],
  ])('refuses %s as its source', (_, source) => {
    expect(() => Database.from(source as DatabaseSource)).toThrow(
      expect.objectContaining({ code: 'CORE_INVALID_SOURCE' }),
    )
  })

  test.each<[string, unknown, string]>([
    ['an empty schema', { schema: '' }, 'CORE_INVALID_NAME'],
    ['a schema with NUL', { schema: 'a\0b' }, 'CORE_INVALID_NAME'],
    ['a schema of 64 bytes', { schema: 'é'.repeat(32) }, 'CORE_INVALID_NAME'],
    ['a schema that is no string', { schema: 5 }, 'CORE_INVALID_NAME'],
    ['a strange migrate', { migrate: 'never' }, 'CORE_INVALID_OPTION'],
    ['a strange listen', { listen: true }, 'CORE_INVALID_OPTION'],
    ['a strange prepare', { prepare: 1 }, 'CORE_INVALID_OPTION'],
  ])('refuses %s', (_, options, code) => {
    expect(() => Database.from(pool, options as DatabaseOptions)).toThrow(
      expect.objectContaining({ code }),
    )
  })

  test('works in schemas of any name', async () => {
    for (const schema of ['we "ird', 'a.b', "o'clock", ' ', '$1 -- ;', '🐘'.repeat(15), 'select']) {
      const weird = Database.from(pool, { schema })
      await pool.query(`create schema ${ident(schema)}`)
      await pool.query(`create table ${ident(schema, 'entry')} (id int primary key)`)
      await weird.query(insertEntry(weird.schema, 1))
      await weird.transaction((tx) => weird.query(insertEntry(weird.schema, 2), tx))
      expect(await weird.query(listEntries(weird.schema))).toEqual([{ id: 1 }, { id: 2 }])
      const streamed = []
      for await (const row of weird.iterate(listEntries(weird.schema))) streamed.push(row.id)
      expect(streamed).toEqual([1, 2])
      await weird.close()
    }
  })
})

describe('query()', () => {
  test('leaves nothing on the connections of the pool but prepared statements of ours', async () => {
    const own = database.pool({ max: 1 })
    const mine = Database.from(own)
    const settings = 'select name, setting from pg_settings where source = $1 order by name'
    const before = (await own.query(settings, ['session'])).rows
    await mine.query(insertEntry(mine.schema, 1))
    await mine.transaction((tx) => mine.query(insertEntry(mine.schema, 2), tx))
    for await (const _ of mine.iterate(listEntries(mine.schema))) break
    await expect(mine.query(sql('select 1 / 0'))).rejects.toMatchObject({ code: '22012' })

    const { rows } = await own.query('select name from pg_prepared_statements')
    expect(rows).toHaveLength(2)
    for (const { name } of rows) expect(name).toMatch(/^howdah\.test\./)
    expect((await own.query(settings, ['session'])).rows).toEqual(before)
    expect((await own.query('select * from pg_listening_channels()')).rows).toEqual([])
    expect((await own.query('select * from pg_cursors')).rows).toEqual([])
    // The view shows the locks of all databases of the server.
    const locks = await own.query(
      "select * from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()",
    )
    expect(locks.rows).toEqual([])
    await mine.close()
  })

  test('keeps the connection when the server refuses a statement, and drops it when it is lost', async () => {
    const own = database.pool({ max: 1 })
    const mine = Database.from(own)
    const backend = async () =>
      (await mine.query(sql('select pg_backend_pid() as pid')))[0]?.['pid']
    const pid = await backend()
    await expect(mine.query(sql('select 1 / 0'))).rejects.toMatchObject({ code: '22012' })
    expect(await backend()).toBe(pid)
    const fatal = mine.query(sql('select pg_terminate_backend(pg_backend_pid())'))
    await expect(fatal).rejects.toMatchObject({ code: '57P01' })
    expect(await backend()).not.toBe(pid)
    await mine.close()
  })

  test('outlives a server that goes in the moment in which the pool hands out a connection', async () => {
    // One of the application's own, whose clients nobody else listens to.
    const own = new pg.Pool({ connectionString: database.url, max: 1 })
    const mine = Database.from(own)
    // The next message of the same packet, as when the server is killed: before any promise is told.
    own.once('acquire', (client) => {
      queueMicrotask(() => client.emit('error', new Error('terminating connection')))
    })
    expect(await mine.query(sql('select 1 as one'))).toEqual([{ one: 1 }])
    await mine.close()
    await own.end()
  })

  test('prepares nothing when prepare is false', async () => {
    const own = database.pool({ max: 1 })
    const mine = Database.from(own, { prepare: false })
    await mine.query(insertEntry(mine.schema, 1))
    const prepared = await own.query('select name from pg_prepared_statements')
    expect(prepared.rows).toEqual([])
    await mine.close()
  })
})

describe('transaction()', () => {
  test('commits when its function resolves, then runs the callbacks in order', async () => {
    const calls: string[] = []
    const result = await db.transaction(async (tx) => {
      tx.afterCommit(() => calls.push('first'))
      await db.query(insertEntry(db.schema, 1), tx)
      await tx.query('insert into howdah.entry values ($1)', [2])
      await tx.query({ text: 'insert into howdah.entry values ($1)', values: [3] })
      tx.afterCommit(() => calls.push('second'))
      expect(calls).toEqual([])
      expect(await ids()).toEqual([])
      return 'done'
    })
    expect(result).toBe('done')
    expect(calls).toEqual(['first', 'second'])
    expect(await ids()).toEqual([1, 2, 3])
  })

  test('rolls back when its function throws, and runs no callback', async () => {
    const callback = vi.fn()
    const failed = db.transaction(async (tx) => {
      tx.afterCommit(callback)
      await db.query(insertEntry(db.schema, 1), tx)
      throw new RangeError('no')
    })
    await expect(failed).rejects.toThrow(RangeError)
    expect(callback).not.toHaveBeenCalled()
    expect(await ids()).toEqual([])
    expect(pool.idleCount).toBe(pool.totalCount)
  })

  test('fails when the error of a statement was swallowed, for nothing was committed', async () => {
    const callback = vi.fn()
    const swallowed = db.transaction(async (tx) => {
      tx.afterCommit(callback)
      await db.query(insertEntry(db.schema, 1), tx)
      await tx.query('select 1 / 0').catch(() => {})
      return 'looks fine'
    })
    await expect(swallowed).rejects.toMatchObject({ code: 'CORE_TRANSACTION_ABORTED' })
    expect(callback).not.toHaveBeenCalled()
    expect(await ids()).toEqual([])
  })

  test('commits after a savepoint took the failed statement back', async () => {
    await db.transaction(async (tx) => {
      await db.query(insertEntry(db.schema, 1), tx)
      await tx.query('savepoint before')
      await tx.query('select 1 / 0').catch(() => tx.query('rollback to savepoint before'))
    })
    expect(await ids()).toEqual([1])
  })

  test('fails when the commit fails', async () => {
    const callback = vi.fn()
    const failed = db.transaction(async (tx) => {
      tx.afterCommit(callback)
      await db.query(insertEntry(db.schema, 1), tx)
      await db.query(insertEntry(db.schema, 1), tx)
    })
    await expect(failed).rejects.toMatchObject({ code: '23505' })
    expect(callback).not.toHaveBeenCalled()
    expect(await ids()).toEqual([])
  })

  test('runs nothing once its function has ended, not even while it commits', async () => {
    let leaked: Transaction | undefined
    let late: Promise<unknown> = Promise.resolve()
    await db.transaction(async (tx) => {
      leaked = tx
      // Runs when the function has returned and the commit is on its way.
      late = Promise.resolve()
        .then(() => {})
        .then(() => {})
        .then(() => tx.query('insert into howdah.entry values (9)'))
      late.catch(() => {})
    })
    await expect(late).rejects.toMatchObject({ code: 'CORE_TRANSACTION_OVER' })
    const over = db.query(insertEntry(db.schema, 1), leaked)
    await expect(over).rejects.toMatchObject({ code: 'CORE_TRANSACTION_OVER' })
    expect(await ids()).toEqual([])
  })

  test('stays committed when a callback throws, and runs the others', async () => {
    const warning = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
    const callback = vi.fn()
    const result = await db.transaction(async (tx) => {
      tx.afterCommit(() => {
        throw new Error('callback')
      })
      tx.afterCommit(callback)
      await db.query(insertEntry(db.schema, 1), tx)
      return 1
    })
    expect(result).toBe(1)
    expect(callback).toHaveBeenCalledOnce()
    expect(warning).toHaveBeenCalledWith(expect.objectContaining({ message: 'callback' }))
    expect(await ids()).toEqual([1])
    warning.mockRestore()
  })

  test('fails when its connection is lost, and leaves a pool that works', async () => {
    const own = database.pool({ max: 2 })
    const mine = Database.from(own)
    const lost = mine.transaction(async (tx) => {
      await mine.query(insertEntry(mine.schema, 1), tx)
      await killConnection(tx)
      await mine.query(insertEntry(mine.schema, 2), tx)
    })
    await expect(lost).rejects.toThrow()
    // A connection lost between two statements, of which nobody is told but by the next one.
    const quiet = mine.transaction(async (tx) => {
      await killConnection(tx)
      await new Promise(setImmediate)
    })
    await expect(quiet).rejects.toThrow()
    expect(await mine.query(sql('select 1 as n'))).toEqual([{ n: 1 }])
    expect(await ids()).toEqual([])
    expect(own.idleCount).toBe(own.totalCount)
    await mine.close()
  })

  test('fails and gives nothing out when the pool gives no connection', async () => {
    const broken = Database.from({
      query: () => Promise.reject(new Error('unused')),
      connect: () => Promise.reject(new Error('no more')),
    })
    const fn = vi.fn()
    await expect(broken.transaction(fn)).rejects.toThrow('no more')
    expect(fn).not.toHaveBeenCalled()
  })
})

describe('afterCommit()', () => {
  test('calls back at once without a client, and never promises what it cannot see', async () => {
    const callback = vi.fn()
    expect(db.afterCommit(undefined, callback)).toBe(true)
    expect(callback).toHaveBeenCalledOnce()
    const client: PoolClient = await pool.connect()
    expect(db.afterCommit(client, callback)).toBe(false)
    client.release()
    expect(callback).toHaveBeenCalledOnce()
  })

  test('calls back at once when the transaction has already committed', async () => {
    const callback = vi.fn()
    const tx = await db.transaction(async (tx) => tx)
    tx.afterCommit(callback)
    expect(callback).toHaveBeenCalledOnce()
  })
})

/** Ends the server's side of a transaction's connection and waits until it is gone. */
async function killConnection(tx: Transaction): Promise<void> {
  const { rows } = await tx.query('select pg_backend_pid() as pid')
  const pid = (rows[0] as { pid: number }).pid
  await pool.query('select pg_terminate_backend($1::int, 10000)', [pid])
}
