/** What docs/security.md says of roles, in a database made by its SQL. Whole suites run under the role with `HOWDAH_TEST_ROLE=least`. */
import { coreMigrations, Database } from '@howdah/core'
import { PubSub } from '@howdah/pubsub'
import { Queue } from '@howdah/queue'
import { SearchIndex } from '@howdah/search'
import { type PostgresServer, startPostgres, type TestDatabase } from '@howdah/testkit'
import pg from 'pg'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { json } from '../../packages/cli/test/support.js'
import { APPLICATION, as, OWNER, prepareLeastPrivilege } from '../../scripts/least-privilege.js'

const MONITOR = { name: 'monitor', password: 'monitor' }
const DENIED = { code: '42501' }

let server: PostgresServer
let database: TestDatabase
let admin: pg.Pool

beforeAll(async () => {
  server = await startPostgres()
  database = await server.createDatabase()
  await prepareLeastPrivilege(database.url)
  admin = database.pool()
  await admin.query(`alter role monitor password 'monitor'; create role stranger login password 'stranger';
    create schema shop authorization app; create role shop_owner; create table shop.tea (id int primary key, name text not null);
    alter table shop.tea owner to shop_owner; grant usage on schema shop to shop_owner; grant select, insert on shop.tea to app`)
})
afterAll(async () => {
  await database?.close()
  await server?.close()
})

/** A pool of a role, until the test ends. */
function poolOf(role: { readonly name: string; readonly password: string }): pg.Pool {
  const pool = new pg.Pool({ connectionString: as(database.url, role), max: 5 })
  pool.on('error', () => {})
  onTestFinished(async () => {
    await Database.from(pool).close()
    await pool.end()
  })
  return pool
}

test('the application reads and writes every table, and the ledger of migrations it only reads', async () => {
  const { rows } = await admin.query<{ table: string; rights: string }>(
    `select c.relname as table, (select string_agg(r, ' ') from unnest(array['select', 'insert', 'update', 'delete', 'truncate', 'references', 'trigger']) r
       where has_table_privilege('app', c.oid, r)) as rights
     from pg_class c where c.relnamespace = 'howdah'::regnamespace and c.relkind = 'r' order by 1`,
  )
  expect(rows.length).toBeGreaterThan(50)
  for (const { table, rights } of rows) {
    expect([table, rights]).toEqual([
      table,
      table === 'migration' ? 'select' : 'select insert update delete',
    ])
  }
})

test('it may not create, change or drop anything of ours', async () => {
  const pool = poolOf(APPLICATION)
  for (const sql of [
    'create table howdah.mine (a int)',
    'alter table howdah.session add column mine int',
    'drop table howdah.session',
    'truncate howdah.session',
    'create trigger mine after insert on howdah.session execute function howdah.cache_foreign_write()',
    'alter function howdah.cache_get(text, text) rename to mine',
    'drop schema howdah cascade',
    `insert into howdah.migration select 'mine', 1, name, checksum, min_client from howdah.migration limit 1`,
  ]) {
    await expect(pool.query(sql), sql).rejects.toMatchObject({
      code: expect.stringMatching(/^(42501|42703)$/),
    })
  }
})

test('doctor finds no right missing', async () => {
  const env = { DATABASE_URL: as(database.url, APPLICATION) }
  const { checks } = await json(['doctor', 'role-rights'], env)
  const findings = checks.flatMap((check: { findings: { level: string }[] }) => check.findings)
  expect(findings.length).toBeGreaterThan(0)
  expect(findings.filter(({ level }: { level: string }) => level !== 'info')).toEqual([])
})

test('migrations that are missing are the owner’s to apply', async () => {
  const pool = poolOf(APPLICATION)
  const more = {
    package: 'more',
    migrations: [
      {
        version: 1,
        name: 'more',
        up: (s: string) => [`create table ${s}.more (a int)`],
        down: (s: string) => [`drop table ${s}.more`],
      },
    ],
  }
  await Database.from(pool).migrator.ensure(coreMigrations)
  await expect(Database.from(pool).migrator.ensure(more)).rejects.toMatchObject({
    code: 'CORE_MIGRATION_FORBIDDEN',
  })
})

test('the monitor reads figures, and nothing that people wrote', async () => {
  const pool = poolOf(MONITOR)
  const { rows } = await admin.query<{ kind: string; name: string }>(
    `select relkind as kind, relname as name from pg_class where relnamespace = 'howdah'::regnamespace and relkind in ('r', 'v')`,
  )
  for (const { kind, name } of rows) {
    const reading = pool.query(`select * from howdah.${name} limit 1`)
    if (kind === 'r') await expect(reading, name).rejects.toMatchObject(DENIED)
    // pg_stat_statements is not there, which query_stats says; it gets as far as that.
    else if (name === 'query_stats') await expect(reading).rejects.not.toMatchObject(DENIED)
    else await expect(reading, name).resolves.toBeDefined()
  }
})

test('a role that nobody named does not get into the database, and PUBLIC may call nothing', async () => {
  const stranger = new pg.Client({
    connectionString: as(database.url, { name: 'stranger', password: 'stranger' }),
  })
  await expect(stranger.connect()).rejects.toMatchObject(DENIED)
  const { rows } = await admin.query(
    `select proname from pg_proc where pronamespace = 'howdah'::regnamespace and has_function_privilege('stranger', oid, 'execute')`,
  )
  expect(rows).toEqual([])
})

test('a role that may connect hears what is notified, for PostgreSQL has no right for that', async () => {
  const pubsub = new PubSub({ pool: poolOf(APPLICATION) })
  onTestFinished(() => pubsub.close())
  const { rows } = await admin.query<{ body: string }>(
    `select prosrc as body from pg_proc where proname = 'hub_tell'`,
  )
  const channel = /'(howdah[^']*)'/.exec(rows[0]?.body ?? '')?.[1] ?? ''
  const spy = new pg.Client({ connectionString: as(database.url, MONITOR) })
  await spy.connect()
  onTestFinished(() => spy.end())
  const heard: string[] = []
  spy.on('notification', ({ payload }) => heard.push(payload ?? ''))
  await spy.query(`listen ${pg.escapeIdentifier(channel)}`)
  await pubsub.channel('news').publish('secret')
  await expect.poll(() => heard.join()).toContain('secret')
})

test('an index that the owner attached is searched, followed and maintained by the application, and the table is neither’s', async () => {
  const owner = poolOf(OWNER)
  const definition = { table: 'shop.tea', key: 'id', fields: { name: {} } }
  const attached = new SearchIndex('teas', { pool: owner, ...definition })
  await expect(attached.attach()).rejects.toMatchObject(DENIED)
  await admin.query('grant usage on schema shop to howdah_owner')
  await admin.query('grant select, trigger on shop.tea to howdah_owner')
  await admin.query(`insert into shop.tea values (1, 'green'), (2, 'black')`)
  await attached.attach()
  await attached.rebuild()
  await attached.close()

  const pool = poolOf(APPLICATION)
  const teas = new SearchIndex('teas', { pool, ...definition })
  onTestFinished(() => teas.close())
  await teas.attach()
  await pool.query(`insert into shop.tea values (3, 'green and black')`)
  expect((await teas.search('green')).total).toBe(2)
  await teas.maintain()
  expect((await teas.search('black')).total).toBe(2)
  expect((await teas.stats()).errors).toEqual([])

  const done = new SearchIndex('teas', { pool: owner, ...definition })
  await done.detach()
  await done.close()
  const { rows } = await admin.query(
    `select tgname from pg_trigger where tgrelid = 'shop.tea'::regclass`,
  )
  expect(rows).toEqual([])
})

test('a watch that the owner installed is heard by the application', async () => {
  await admin.query('grant shop_owner to howdah_owner')
  const installer = new PubSub({ pool: poolOf(OWNER) })
  await installer.watch(['shop', 'tea']).install()
  await installer.close()
  const pool = poolOf(APPLICATION)
  const pubsub = new PubSub({ pool })
  onTestFinished(() => pubsub.close())
  await pool.query(`insert into shop.tea values (9, 'white')`)
  const { messages } = await pubsub.watch(['shop', 'tea']).stream.read({ after: 'earliest' })
  expect(messages.map(({ payload }) => payload)).toMatchObject([{ op: 'insert', key: { id: 9 } }])
})

test('a job goes from the application to a worker of the same role', async () => {
  const queue = new Queue<number>('least', { pool: poolOf(APPLICATION) })
  onTestFinished(() => queue.close())
  const done: number[] = []
  queue.work((job) => void done.push(job.payload))
  await queue.add(7)
  await expect.poll(() => done).toEqual([7])
})
