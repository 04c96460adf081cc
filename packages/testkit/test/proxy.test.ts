import { connect, createServer, type Socket } from 'node:net'
import { startProxy, type TcpProxy, type TestDatabase, testDatabase } from '@howdah/testkit'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'

let db: TestDatabase
let proxy: TcpProxy
const open: pg.Client[] = []

beforeAll(async () => {
  db = await testDatabase()
})
afterAll(() => db.close())
beforeEach(async () => {
  const { hostname, port } = new URL(db.url)
  proxy = await startProxy({ host: hostname, port: Number(port) })
})
afterEach(async () => {
  await proxy.close()
  await Promise.all(open.splice(0).map((client) => client.end().catch(() => {})))
})

async function connected(): Promise<pg.Client> {
  const client = new pg.Client({
    connectionString: proxy.url(db.url),
    connectionTimeoutMillis: 500,
  })
  client.on('error', () => {})
  open.push(client)
  await client.connect()
  return client
}

test('url() leads through the proxy to the same database', async () => {
  const client = await connected()
  const { rows } = await client.query('select current_database() as name, $1::text as text', [
    'x'.repeat(1_000_000),
  ])
  expect(rows).toEqual([{ name: db.name, text: 'x'.repeat(1_000_000) }])
  expect(proxy.connections).toBe(1)
})

test('a frozen connection is half-open: no answer and no end, then all that was sent', async () => {
  const client = await connected()
  let ended = false
  client.once('end', () => {
    ended = true
  })
  proxy.freeze()
  let answered = false
  const answer = client.query('select 1 as one').then(({ rows }) => {
    answered = true
    return rows
  })
  await expect(connected()).rejects.toThrow('timeout')
  expect({ answered, ended }).toEqual({ answered: false, ended: false })
  proxy.thaw()
  expect(await answer).toEqual([{ one: 1 }])
})

test('while frozen neither side learns that the other has ended', async () => {
  const echo = createServer({ allowHalfOpen: true })
  const accepted = new Promise<Socket>((resolve) => echo.once('connection', resolve))
  await new Promise<void>((resolve) => echo.listen(0, '127.0.0.1', resolve))
  const { port } = echo.address() as { port: number }
  await using local = await startProxy({ host: '127.0.0.1', port })
  const near = connect({ port: local.port, host: '127.0.0.1' })
  near.on('error', () => {})
  near.write('hello')
  const far = await accepted
  far.on('error', () => {})
  await new Promise((resolve) => far.once('data', resolve))
  local.freeze()
  let closed = false
  near.once('close', () => {
    closed = true
  })
  far.resetAndDestroy()
  await expect(connected()).resolves.toBeDefined()
  expect(closed).toBe(false)
  expect(local.connections).toBe(1)
  local.thaw()
  await expect.poll(() => closed).toBe(true)
  expect(local.connections).toBe(0)
  near.destroy()
  echo.close()
})

test('cut() resets what is open and lets new connections in', async () => {
  const client = await connected()
  const gone = new Promise((resolve) => client.once('end', resolve))
  expect(proxy.cut()).toBe(1)
  await gone
  expect(proxy.connections).toBe(0)
  const again = await connected()
  expect((await again.query('select 1 as one')).rows).toEqual([{ one: 1 }])
})

test('refuse() turns newcomers away and spares what is open, until accept()', async () => {
  const client = await connected()
  await proxy.refuse()
  await expect(connected()).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  expect((await client.query('select 1 as one')).rows).toEqual([{ one: 1 }])
  await proxy.accept()
  await connected()
  expect(proxy.connections).toBe(2)
})

test('close() leaves no connection and no listener', async () => {
  const client = await connected()
  const gone = new Promise((resolve) => client.once('end', resolve))
  await proxy.close()
  await gone
  await expect(connected()).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  await expect(proxy.accept()).rejects.toMatchObject({ code: 'TESTKIT_CLOSED' })
})
