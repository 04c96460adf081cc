import { once } from 'node:events'
import { type AddressInfo, createServer, connect as dial, type Socket } from 'node:net'
import { PGlite } from '@electric-sql/pglite'
import {
  type PostgresServer,
  startPostgres,
  startProxy,
  type TcpProxy,
  type TestDatabase,
} from '@howdah/testkit'
import fc from 'fast-check'
import pg from 'pg'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { coreMigrations, Database, type DatabaseOptions, type Hub } from '../src/index.js'
import { App, eventually, leavesNothingOpen, Recorder } from './hub-support.js'

const STEADY: DatabaseOptions = { hub: { reconnectMax: '100ms' } }
const POLL: DatabaseOptions = { listen: false, hub: { pollInterval: '20ms' } }

let server: PostgresServer
let database: TestDatabase
let admin: pg.Client
let proxy: TcpProxy
/** Its connection is frozen from the beginning, so that its time passes while the other tests run. */
let silent: App

// A server of our own, for backends are terminated here.
beforeAll(async () => {
  server = await startPostgres()
  database = await server.createDatabase()
  admin = new pg.Client({ connectionString: database.url })
  await admin.connect()
  await using app = new App(database.url)
  await app.db.migrator.up([coreMigrations])
  proxy = await startProxy({ host: '127.0.0.1', port: server.port })
  silent = new App(database.url, { schema: 'silent', listen: proxy.url(database.url) })
  await silent.db.migrator.up([coreMigrations])
  await silent.hub.register('k', new Recorder())
  proxy.freeze()
})
afterAll(async () => {
  await silent?.[Symbol.asyncDispose]()
  await proxy?.close()
  await admin?.end()
  await server?.close()
})

async function query(text: string): Promise<Record<string, unknown>[]> {
  return (await admin.query(text)).rows
}

/** Identities that others see, `quiet` ones marked. */
async function alive(schema = 'howdah'): Promise<string[]> {
  const rows = await query(`select identity, quiet from "${schema}".hub_alive()`)
  return rows.map(({ identity, quiet }) => `${identity}${quiet === true ? ' quiet' : ''}`).sort()
}

/** A hub that is up, with every identity it went through. */
async function up(app: App): Promise<(string | undefined)[]> {
  const identities: (string | undefined)[] = []
  app.hub.on('identity', (identity) => identities.push(identity))
  await app.hub.register('k', new Recorder())
  return identities
}

/** Process id of the backend behind an identity. */
async function backendOf(identity: string | undefined): Promise<number> {
  const rows = await query(
    `select pid from pg_locks where locktype = 'advisory' and objsubid = 2 and objid::text = '${identity}'`,
  )
  return Number(rows[0]?.['pid'])
}

test('a hub has an identity that others see, while it is up and no longer', async () => {
  await leavesNothingOpen(async () => {
    await using one = new App(database.url)
    await using two = new App(database.url)
    await using elsewhere = new App(database.url, { schema: 'elsewhere' })
    expect(one.hub.identity).toBe(undefined)
    const unregister = await one.hub.register('k', new Recorder())
    await up(two)
    await up(elsewhere)
    expect(one.hub.identity).toMatch(/^\d+$/)
    expect(one.hub.identity).not.toBe(two.hub.identity)
    const both = [one.hub.identity, two.hub.identity].sort()
    expect(await alive()).toEqual(both)
    await unregister()
    expect(one.hub.identity).toBe(undefined)
    await eventually(alive).toEqual([two.hub.identity])
    await two.db.close()
    expect(two.hub.identity).toBe(undefined)
    await eventually(alive).toEqual([])
  })
})

test('a hub that is killed has another identity before its handlers catch up', async () => {
  await using app = new App(database.url, STEADY)
  const atGap: (string | undefined)[] = []
  const recorder = new Recorder()
  recorder.onGap = () => void atGap.push(app.hub.identity)
  const identities = await up(app)
  await app.hub.register('gap', recorder)
  const [first] = identities
  await query(`select pg_terminate_backend(${await backendOf(first)})`)
  await eventually(() => identities.length).toBe(3)
  const [, lost, second] = identities
  expect([lost, second === first]).toEqual([undefined, false])
  await eventually(() => atGap).toEqual([second])
  expect(await alive()).toEqual([second])
})

test('a hub that polls has its row, and another identity with another row', async () => {
  await using app = new App(database.url, POLL)
  const identities = await up(app)
  expect(app.hub.state).toBe('polling')
  expect(await alive()).toEqual([app.hub.identity])
  await query("update howdah.hub_poller set seen_at = clock_timestamp() - interval '31 seconds'")
  await eventually(() => identities.length).toBe(2)
  expect(identities[1]).not.toBe(identities[0])
  expect(await alive()).toEqual([identities[1]])
  expect(await app.hub.tryHold('n')).toBe('unavailable')
  await app.hub.letGo('n')
  await app.db.close()
  expect(await alive()).toEqual([])
})

test('a name is held by one hub, until it lets go or goes', async () => {
  await using one = new App(database.url, STEADY)
  await using two = new App(database.url, STEADY)
  expect(await one.hub.tryHold('n')).toBe('unavailable')
  const identities = await up(one)
  await up(two)
  // Never stacked: what is got ten times is given back once.
  const all = await Promise.all(Array.from({ length: 10 }, () => one.hub.tryHold('n')))
  expect(new Set(all)).toEqual(new Set(['held']))
  expect(await two.hub.tryHold('n')).toBe('taken')
  expect(await two.hub.tryHold('m')).toBe('held')
  await one.hub.letGo('n')
  await one.hub.letGo('never held')
  expect(await two.hub.tryHold('n')).toBe('held')
  expect(await one.hub.tryHold('n')).toBe('taken')
  await two.db.close()
  expect(await one.hub.tryHold('n')).toBe('held')
  const [first] = identities
  await query(`select pg_terminate_backend(${await backendOf(first)})`)
  await eventually(() => identities.length).toBe(3)
  await using three = new App(database.url)
  await up(three)
  // The new connection begins with nothing.
  expect(await three.hub.tryHold('n')).toBe('held')
  expect(await one.hub.tryHold('n')).toBe('taken')
})

test('names of any kind, and of other schemas, are different names', async () => {
  await using one = new App(database.url)
  await using two = new App(database.url, { schema: 'elsewhere' })
  await using three = new App(database.url)
  for (const app of [one, two, three]) await up(app)
  const names = ['', '\0', '\ud800', "'; select 1 --", '__proto__', 'é'.repeat(10_000)]
  for (const name of names) {
    expect(await one.hub.tryHold(name)).toBe('held')
    expect(await two.hub.tryHold(name)).toBe('held')
    expect(await three.hub.tryHold(name)).toBe('taken')
  }
})

test('in whatever order names are taken and let go, one hub holds each', async () => {
  await using one = new App(database.url)
  await using two = new App(database.url)
  for (const app of [one, two]) await up(app)
  const hubs: readonly [Hub, Hub] = [one.hub, two.hub]
  const step = fc.tuple(fc.nat(1), fc.constantFrom('a', 'b'), fc.boolean(), fc.boolean())
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
      const underWay: Promise<unknown>[] = []
      for (const [which, name, takes, waits] of steps) {
        const hub = hubs[which as 0 | 1]
        if (!waits) {
          underWay.push(takes ? hub.tryHold(name) : hub.letGo(name))
          continue
        }
        await Promise.all(underWay.splice(0))
        const results = await Promise.all(hubs.map((each) => each.tryHold(name)))
        expect(results.sort()).toEqual(['held', 'taken'])
      }
      await Promise.all(underWay)
      await Promise.all(hubs.flatMap((hub) => [hub.letGo('a'), hub.letGo('b')]))
      const left = await query(
        `select 1 from pg_locks join pg_database d on d.oid = database
         where locktype = 'advisory' and objsubid = 1 and datname = current_database()`,
      )
      expect(left).toEqual([])
    }),
    { numRuns: 30 },
  )
})

test('what a frozen connection held is free once its hub is back, though the server still believes in the old one', async () => {
  // As a network does that drops a connection and tells neither side; what is opened later passes.
  const lost: Socket[] = []
  const network = createServer({ pauseOnConnect: true }, (client) => {
    const upstream = dial(server.port, '127.0.0.1')
    for (const socket of [client, upstream]) socket.on('error', () => {})
    client.pipe(upstream).pipe(client)
    lost.push(client, upstream)
  })
  network.listen(0, '127.0.0.1')
  await once(network, 'listening')
  onTestFinished(() => {
    for (const socket of lost) socket.destroy()
    network.close()
  })
  const listen = new URL(database.url)
  listen.port = String((network.address() as AddressInfo).port)
  const hub = { liveness: '300ms', reconnectMax: '100ms' } as const
  await using app = new App(database.url, { listen: listen.href, hub })
  const identities = await up(app)
  expect(await app.hub.tryHold('frozen')).toBe('held')
  const [first] = identities
  const [client, upstream] = lost
  client?.unpipe(upstream).removeAllListeners('end').resume()
  upstream?.unpipe(client).pause()
  const asked = app.hub.tryHold('asked while frozen')
  await eventually(() => identities.length).toBeGreaterThanOrEqual(2)
  expect([identities[1], await asked]).toEqual([undefined, 'unavailable'])
  await eventually(() => identities.at(-1)).toMatch(/^\d+$/)
  expect(identities.at(-1)).not.toBe(first)
  await eventually(alive).toEqual([identities.at(-1)])
  await using other = new App(database.url)
  await up(other)
  expect(await other.hub.tryHold('frozen')).toBe('held')
})

test('a hub whose connection says nothing for 20 seconds is quiet, and is not once it speaks', async () => {
  expect(await alive('silent')).toEqual([expect.stringMatching(/^\d+$/)])
  await expect
    .poll(() => alive('silent'), { timeout: 28_000 })
    .toEqual([`${silent.hub.identity} quiet`])
  proxy.thaw()
  await eventually(() => alive('silent')).toEqual([silent.hub.identity])
}, 60_000)

test('over PGlite a hub has an identity, holds, and leaves no lock', async () => {
  const pglite = await PGlite.create()
  const db = Database.from(pglite)
  await db.migrator.up([coreMigrations])
  const unregister = await db.hub.register('k', new Recorder())
  const { rows } = await pglite.query('select * from howdah.hub_alive()')
  expect(rows).toEqual([{ identity: db.hub.identity, quiet: false }])
  expect(await db.hub.tryHold('n')).toBe('held')
  await unregister()
  const locks = await pglite.query("select * from pg_locks where locktype = 'advisory'")
  expect(locks.rows).toEqual([])
  await db.close()
  await pglite.close()
})
