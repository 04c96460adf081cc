import { type PostgresServer, startPostgres } from '@howdah/testkit'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

let server: PostgresServer

beforeAll(async () => {
  server = await startPostgres({
    settings: { work_mem: '7MB', application_name: "it's" },
    template: async (url) => {
      const client = new pg.Client(url)
      await client.connect()
      await client.query('create table mark (a integer)')
      await client.query('insert into mark values (1)')
      // Left open on purpose: a forgotten connection must not break the clones.
      client.on('error', () => {})
    },
  })
})
afterAll(() => server.close())

test('startPostgres() starts the wanted version with the given settings, as no superuser of the machine', async () => {
  await using db = await server.createDatabase()
  const { rows } = await db.pool().query(
    `select current_setting('server_version_num')::integer / 10000 as major,
            current_setting('work_mem') as work_mem, current_setting('fsync') as fsync,
            pg_encoding_to_char(encoding) as encoding, datcollate as locale
     from pg_database where datname = current_database()`,
  )
  expect(rows).toEqual([
    { major: server.major, work_mem: '7MB', fsync: 'off', encoding: 'UTF8', locale: 'C' },
  ])
  expect(server.major).toBe(18)
})

test('a server serves on the port it is given', async () => {
  const first = await startPostgres()
  const { port } = first
  await first.close()
  await using second = await startPostgres({ port })
  expect(second.port).toBe(port)
  await second.restart()
  expect(second.port).toBe(port)
})

test('the server asks for its password', async () => {
  const url = new URL(server.url)
  url.password = 'guess'
  const client = new pg.Client(url.href)
  await expect(client.connect()).rejects.toMatchObject({ code: '28P01' })
})

describe('createDatabase()', () => {
  test('clones the template, and clones do not see each other', async () => {
    const [one, two] = await Promise.all([server.createDatabase(), server.createDatabase()])
    await one.pool().query('insert into mark values (2)')
    const { rows } = await two.pool().query('select a from mark')
    expect(rows).toEqual([{ a: 1 }])
    await Promise.all([one.close(), two.close()])
  })

  test.each([
    'we "ird',
    "'; drop database postgres; --",
    'snow ☃',
    'a.b',
    '__proto__',
    '%41/&=+$,:@',
  ])('accepts the name %s', async (name) => {
    await using db = await server.createDatabase({ name })
    const { rows } = await db.pool().query('select current_database() as name')
    expect(rows).toEqual([{ name }])
  })

  test.each(['', 'x'.repeat(64), 'nul\0', 'a?b', 'a#b'])('refuses the name %j', async (name) => {
    await expect(server.createDatabase({ name })).rejects.toMatchObject({
      code: 'TESTKIT_INVALID_OPTION',
    })
  })
})

test('kill() and start() keep what was committed, and the port', async () => {
  await using db = await server.createDatabase()
  const pool = db.pool()
  await pool.query('insert into mark values (2)')
  const { port } = server
  await server.kill()
  expect(server.running).toBe(false)
  await expect(pool.query('select 1')).rejects.toThrow()
  await expect(server.createDatabase()).rejects.toMatchObject({ code: 'TESTKIT_NOT_RUNNING' })
  await server.start()
  expect(server.port).toBe(port)
  const { rows } = await pool.query('select a from mark order by a')
  expect(rows).toEqual([{ a: 1 }, { a: 2 }])
  expect(server.log()).toContain('automatic recovery in progress')
})

test('restart() ends every session in an orderly way', async () => {
  await using db = await server.createDatabase()
  const client = await db.pool().connect()
  const gone = new Promise<unknown>((resolve) => client.once('error', resolve))
  await server.restart()
  expect(await gone).toBeInstanceOf(Error)
  client.release(true)
  const { rows } = await db.pool().query('select a from mark')
  expect(rows).toEqual([{ a: 1 }])
})

test('freeze() leaves connections open and silent until thaw()', async () => {
  await using db = await server.createDatabase()
  const client = await db.pool().connect()
  await client.query('select 1')
  await server.freeze()
  let answered = false
  const answer = client.query('select 2 as two').then((result) => {
    answered = true
    return result.rows
  })
  await expect(server.createDatabase()).rejects.toMatchObject({ code: 'TESTKIT_NOT_RUNNING' })
  // A second connection is opened by the kernel and gets no further than that.
  const newcomer = new pg.Client({ connectionString: db.url, connectionTimeoutMillis: 300 })
  await expect(newcomer.connect()).rejects.toThrow('timeout')
  expect(answered).toBe(false)
  await server.thaw()
  expect(await answer).toEqual([{ two: 2 }])
  client.release()
})

test('a frozen server can be killed and started', async () => {
  await server.freeze()
  await server.kill()
  await server.start()
  await using db = await server.createDatabase()
  expect((await db.pool().query('select a from mark')).rows).toEqual([{ a: 1 }])
})

test('terminateBackends() ends the sessions that match and no other', async () => {
  await using db = await server.createDatabase()
  const open = async (name: string): Promise<{ client: pg.PoolClient; lost: () => boolean }> => {
    const client = await db.pool({ application_name: name }).connect()
    let lost = false
    client.on('error', () => {
      lost = true
    })
    return { client, lost: () => lost }
  }
  const [one, two, listener] = await Promise.all([open('one'), open('two'), open('two')])
  await listener.client.query('LISTEN something')
  const filter = { applicationName: 'two', listening: true, database: db.name }
  expect(await server.terminateBackends(filter)).toBe(1)
  await expect.poll(() => listener.lost()).toBe(true)
  expect(await server.terminateBackends({ applicationName: 'one', database: db.name })).toBe(1)
  await expect.poll(() => one.lost()).toBe(true)
  expect((await two.client.query('select 1 as one')).rows).toEqual([{ one: 1 }])
  one.client.release(true)
  listener.client.release(true)
  two.client.release()
})

test('a template function that fails stops the start and leaves nothing', async () => {
  const failing = startPostgres({
    provider: 'url',
    url: server.url,
    template: () => Promise.reject(new Error('no such migration')),
  })
  await expect(failing).rejects.toMatchObject({
    code: 'TESTKIT_TEMPLATE_FAILED',
    cause: expect.objectContaining({ message: 'no such migration' }),
  })
  const client = new pg.Client(server.url)
  await client.connect()
  const { rows } = await client.query(
    "select count(*)::integer as templates from pg_database where datname like 'howdah\\_template\\_%'",
  )
  await client.end()
  expect(rows).toEqual([{ templates: 1 }])
})

test('after close() everything says so', async () => {
  const other = await startPostgres({ provider: 'url', url: server.url })
  await other.close()
  await other.close()
  await expect(other.createDatabase()).rejects.toMatchObject({ code: 'TESTKIT_CLOSED' })
  await expect(other.start()).rejects.toMatchObject({ code: 'TESTKIT_CLOSED' })
})

describe('the url provider', () => {
  test('makes databases on a server that runs already and takes its template along', async () => {
    const theirs = await startPostgres({
      provider: 'url',
      url: server.url,
      template: async (url) => {
        const client = new pg.Client(url)
        await client.connect()
        await client.query('create table theirs ()')
        await client.end()
      },
    })
    const db = await theirs.createDatabase()
    await db.pool().query('select from theirs')
    await db.close()
    await expect(theirs.kill()).rejects.toMatchObject({ code: 'TESTKIT_UNSUPPORTED' })
    await expect(theirs.freeze()).rejects.toMatchObject({ code: 'TESTKIT_UNSUPPORTED' })
    await theirs.close()
    const client = new pg.Client(server.url)
    await client.connect()
    const { rows } = await client.query('select datname from pg_database where datname ~ $1', [
      '^(howdah_template|test)_',
    ])
    await client.end()
    expect(rows).toHaveLength(1)
  })

  test('says when the server is of another version or does not answer', async () => {
    await expect(
      startPostgres({ provider: 'url', url: server.url, major: 15 }),
    ).rejects.toMatchObject({ code: 'TESTKIT_START_FAILED' })
    await expect(
      startPostgres({ provider: 'url', url: 'postgres://127.0.0.1:1/postgres' }),
    ).rejects.toMatchObject({ code: 'TESTKIT_START_FAILED' })
  })
})
