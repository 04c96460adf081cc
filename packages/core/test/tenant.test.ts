import { PGlite } from '@electric-sql/pglite'
import { findPgBouncer, startPgBouncer, type TestDatabase, testDatabase } from '@howdah/testkit'
import { Pool } from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { notTested } from '../../../scripts/not-tested.js'
import {
  Database,
  defineStatement,
  dropTenantPolicy,
  type TransactionHandle,
  tenantPolicy,
} from '../src/index.js'

interface Note {
  readonly tenant: string
  readonly body: string
}

const everyNote = defineStatement<[], Note>(
  'test.notes',
  () => 'select tenant_id as tenant, body from app.note order by body',
  () => [],
)
const addNote = defineStatement<[tenant: string, body: string]>(
  'test.add_note',
  () => 'insert into app.note (tenant_id, body) values ($1::text, $2::text)',
  (tenant, body) => [tenant, body],
)
const setting = defineStatement<[], { tenant: string | null }>(
  'test.setting',
  () => `select nullif(current_setting('howdah.tenant', true), '') as tenant`,
  () => [],
)

const hostile = ["a' or '1'='1", '";drop table app.note;--', '__proto__', '%', '*', ' a', 'A', 'ä']

let database: TestDatabase
let owner: Pool
let pool: Pool
let db: Database
let role: string

const all = (scope: Database, client?: TransactionHandle) =>
  scope.query(everyNote(scope.schema), client)

beforeAll(async () => {
  database = await testDatabase()
  owner = database.pool()
  role = `tenants_${process.pid}_${Date.now()}`
  await owner.query('create schema app')
  await owner.query('create table app.note (tenant_id text not null, body text not null)')
  for (const statement of tenantPolicy(['app', 'note'])) await owner.query(statement)
  await owner.query(`create role ${role} login`)
  await owner.query(`grant usage on schema app to ${role}`)
  await owner.query(`grant select, insert, update, delete on app.note to ${role}`)
  await owner.query(
    `insert into app.note values ('a', 'a1'), ('a', 'a2'), ('b', 'b1'), ('', 'of no tenant')`,
  )
  pool = database.pool({ max: 3, options: `-c role=${role}` })
  db = Database.from(pool)
})
afterAll(async () => {
  await db.close()
  await owner.query(`drop owned by ${role}`)
  await owner.query(`drop role ${role}`)
  await database.close()
})

test('a tenant sees its own rows only, and without a tenant no row is seen', async () => {
  const a = [
    { tenant: 'a', body: 'a1' },
    { tenant: 'a', body: 'a2' },
  ]
  for (let round = 0; round < 3; round++) {
    expect(await all(db.tenant('a'))).toEqual(a)
    expect(await all(db.tenant('b'))).toEqual([{ tenant: 'b', body: 'b1' }])
    // The connections that served a tenant now read its setting as '', and the row of '' stays hidden.
    expect(await all(db)).toEqual([])
  }
})

test('tenants that ask at once over few connections never see each other', async () => {
  const asked = Array.from({ length: 60 }, (_, at) => (at % 2 === 0 ? 'a' : 'b'))
  const answers = await Promise.all(asked.map((id) => all(db.tenant(id))))
  const seen = answers.map((rows) => [...new Set(rows.map(({ tenant }) => tenant))])
  expect(seen).toEqual(asked.map((id) => [id]))
})

test('a tenant cannot write a row of another', async () => {
  await expect(db.tenant('a').query(addNote('', 'b', 'forged'))).rejects.toMatchObject({
    code: '42501',
  })
  await expect(db.query(addNote('', '', 'of nobody'))).rejects.toMatchObject({ code: '42501' })
})

test("no policy of the application's own opens the rows of another tenant", async () => {
  await owner.query('create policy open on app.note using (true)')
  try {
    expect(new Set((await all(db.tenant('a'))).map(({ tenant }) => tenant))).toEqual(new Set(['a']))
    expect(await all(db)).toEqual([])
  } finally {
    await owner.query('drop policy open on app.note')
  }
})

test.each(hostile)('the id %j is a tenant like any other', async (id) => {
  const scope = db.tenant(id)
  expect(await all(scope)).toEqual([])
  await scope.query(addNote('', id, 'mine'))
  expect(await all(scope)).toEqual([{ tenant: id, body: 'mine' }])
  expect(await all(db.tenant('b'))).toEqual([{ tenant: 'b', body: 'b1' }])
})

test.each(['', 'nul\0', '\ud800', 'x'.repeat(256), 7, null, undefined, {}, ['a']])(
  'tenant(%j) is refused',
  (id) => {
    expect(() => db.tenant(id as string)).toThrow(
      expect.objectContaining({ code: 'CORE_INVALID_OPTION' }),
    )
  },
)

test('tenant() of a tenant is refused', () => {
  expect(() => db.tenant('a').tenant('b')).toThrow(
    expect.objectContaining({ code: 'CORE_TENANT_CONFLICT' }),
  )
})

test('transaction() runs as the tenant, and a rolled-back savepoint does not change that', async () => {
  const scope = db.tenant('a')
  await scope.transaction(async (tx) => {
    await tx.query('savepoint one')
    await expect(tx.query('select 1 / 0')).rejects.toThrow()
    await tx.query('rollback to savepoint one')
    expect(await all(scope, tx)).toHaveLength(2)
    expect((await tx.query('select from app.note')).rows).toHaveLength(2)
  })
})

test("a transaction of the parent's or of pg's becomes the tenant's, and then refuses another", async () => {
  const [a, b] = [db.tenant('a'), db.tenant('b')]
  const use = async (client: TransactionHandle) => {
    expect(await all(a, client)).toHaveLength(2)
    expect(await all(a, client)).toHaveLength(2)
    await expect(all(b, client)).rejects.toMatchObject({ code: 'CORE_TENANT_CONFLICT' })
  }
  await db.transaction(use)
  await a.transaction(use)
  const client = await pool.connect()
  await client.query('begin')
  await use(client as never)
  await client.query('rollback')
  client.release()
})

test('two tenants that share a transaction at once do not both get in', async () => {
  await db.transaction(async (tx) => {
    const [a, b] = await Promise.allSettled([all(db.tenant('a'), tx), all(db.tenant('b'), tx)])
    expect(a).toMatchObject({ status: 'fulfilled', value: [{ tenant: 'a' }, { tenant: 'a' }] })
    expect(b).toMatchObject({ status: 'rejected' })
  })
})

test('iterate() streams as the tenant and leaves no setting, also when it is left early', async () => {
  await owner.query(
    `insert into app.note select 'many', lpad(n::text, 5, '0') from generate_series(1, 2500) n`,
  )
  const scope = db.tenant('many')
  const bodies: string[] = []
  for await (const { body } of scope.iterate(everyNote(''), { batchSize: 1000 })) bodies.push(body)
  expect(bodies).toHaveLength(2500)
  expect(bodies).toEqual(bodies.toSorted())
  for await (const { tenant } of scope.iterate(everyNote(''), { batchSize: 10 })) {
    expect(tenant).toBe('many')
    break
  }
  expect(pool.idleCount).toBe(pool.totalCount)
  expect(await db.query(setting(''))).toEqual([{ tenant: null }])
})

test("iterate() passes on the server's refusal", async () => {
  const fail = defineStatement(
    'test.fail',
    () => 'select 1 / (n - 5) as x from generate_series(1, 9) n',
    () => [],
  )
  const read = async () => {
    for await (const _ of db.tenant('a').iterate(fail(''), { batchSize: 2 }));
  }
  await expect(read()).rejects.toMatchObject({ code: '22012' })
  const wrong = defineStatement(
    'test.wrong',
    () => 'select nothing_here',
    () => [],
  )
  const open = async () => {
    for await (const _ of db.tenant('a').iterate(wrong('')));
  }
  await expect(open()).rejects.toMatchObject({ code: '42703' })
  expect(pool.idleCount).toBe(pool.totalCount)
})

test("a tenant shares the parent's hub and migrator, and leaves them open", async () => {
  const scope = db.tenant('a')
  expect(scope.hub).toBe(db.hub)
  expect(scope.migrator).toBe(db.migrator)
  expect(scope.coalescer).not.toBe(db.coalescer)
  expect(scope.tenantId).toBe('a')
  expect(Database.from(scope)).toBe(scope)
  await scope.close()
  expect(db.hub.state).not.toBe('closed')
  expect(Database.from(pool)).toBe(db)
})

test('tenantPolicy() compares columns of other types, and names of any kind', async () => {
  await owner.query('create table app."odd ""table" ("the ""tenant" uuid, body text)')
  const table = ['app', 'odd "table'] as const
  const options = { column: 'the "tenant', type: 'uuid' } as const
  // Twice: the statements may be run again.
  for (const statement of [...tenantPolicy(table, options), ...tenantPolicy(table, options)]) {
    await owner.query(statement)
  }
  await owner.query(`grant select on app."odd ""table" to ${role}`)
  const id = '0a8d5b1c-31a1-4b5e-9a55-0d5e6f4c9b11'
  await owner.query(`insert into app."odd ""table" values ('${id}', 'x')`)
  const read = defineStatement(
    'test.odd',
    () => 'select body from app."odd ""table"',
    () => [],
  )
  expect(await db.tenant(id).query(read(''))).toEqual([{ body: 'x' }])
  expect(await db.query(read(''))).toEqual([])
  await expect(db.tenant("x' or true --").query(read(''))).rejects.toMatchObject({ code: '22P02' })
  for (const statement of dropTenantPolicy(table)) await owner.query(statement)
  expect(await db.tenant(id).query(read(''))).toEqual([])
})

test('tenantPolicy() binds the owner of the table too', async () => {
  await owner.query(`create schema own authorization ${role}`)
  await pool.query('create table own.thing (tenant_id text)')
  await pool.query(`insert into own.thing values ('a'), ('b')`)
  for (const statement of tenantPolicy(['own', 'thing'])) await pool.query(statement)
  const read = defineStatement(
    'test.own',
    () => 'select tenant_id from own.thing',
    () => [],
  )
  expect(await db.tenant('a').query(read(''))).toEqual([{ tenant_id: 'a' }])
  expect(await db.query(read(''))).toEqual([])
})

test.each([
  ['', {}],
  ['a\0', {}],
  ['note', { column: '' }],
  ['note', { type: 'text); drop table app.note; --' }],
])('tenantPolicy(%j, %j) is refused', (table, options) => {
  expect(() => tenantPolicy(table, options as never)).toThrow(
    expect.objectContaining({ code: expect.stringMatching(/^CORE_INVALID/) }),
  )
})

test('tenants work on PGlite', async () => {
  const pglite = await PGlite.create()
  await pglite.exec(`create schema app; create table app.note (tenant_id text, body text);
    create role reader; grant usage on schema app to reader; grant select on app.note to reader;
    insert into app.note values ('a', 'a1'), ('b', 'b1')`)
  for (const statement of tenantPolicy(['app', 'note'])) await pglite.exec(statement)
  await pglite.exec('set role reader')
  const lite = Database.from(pglite)
  expect(await all(lite.tenant('a'))).toEqual([{ tenant: 'a', body: 'a1' }])
  expect(await all(lite)).toEqual([])
  for await (const { tenant } of lite.tenant('b').iterate(everyNote(''))) {
    expect(tenant).toBe('b')
    expect(await all(lite.tenant('a'))).toHaveLength(1)
  }
  await lite.close()
  await pglite.close()
})

const bouncer = findPgBouncer() !== undefined
if (!bouncer) notTested('tenants behind PgBouncer', 'there is no pgbouncer on this machine')

test.runIf(bouncer)(
  'behind PgBouncer in transaction mode, tenants that share one server connection stay apart',
  async () => {
    await using pooler = await startPgBouncer({
      url: database.url,
      poolMode: 'transaction',
      settings: { default_pool_size: 1 },
    })
    const bounced = new Pool({ connectionString: pooler.url, max: 4 })
    const through = Database.from(bounced, { prepare: false })
    const ids = Array.from({ length: 40 }, (_, at) => (at % 4 === 0 ? undefined : `t${at % 4}`))
    const seen = await Promise.all(
      ids.map((id) => (id === undefined ? through : through.tenant(id)).query(setting(''))),
    )
    expect(seen.map((rows) => rows[0]?.tenant)).toEqual(ids.map((id) => id ?? null))
    await through.close()
    await bounced.end()
  },
)
