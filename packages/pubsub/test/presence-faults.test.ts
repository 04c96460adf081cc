import { type PostgresServer, startPostgres, startProxy, type TestDatabase } from '@howdah/testkit'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { App, eventually, idsOf, startProcess, watch } from './presence-support.js'

let server: PostgresServer
let database: TestDatabase
let names = 0

// A server of our own, for it is killed here.
beforeAll(async () => {
  server = await startPostgres()
  database = await server.createDatabase()
})
afterAll(() => server?.close())

const name = () => `room ${++names}`

/** Members that are stored, whether they count or not. */
async function stored(app: App, room: string): Promise<string[]> {
  const text = 'select id from howdah.presence_member where name = $1 order by id'
  return (await app.pool.query(text, [room])).rows.map(({ id }) => id)
}

describe('presence', () => {
  test('who is in a process that is killed is hidden at once, told to have left within seconds, and deleted', async () => {
    const app = new App(database.url)
    const room = name()
    const here = app.pubsub.presence(room)
    await here.join('stays')
    const [killed, lives] = await Promise.all([
      startProcess(database.url, room, ['one', 'two', 'both']),
      startProcess(database.url, room, ['both', 'three']),
    ])
    const audience = await watch(here)
    expect(audience.ids).toEqual(['both', 'one', 'stays', 'three', 'two'])
    const before = performance.now()
    killed.kill('SIGKILL')
    await eventually(() => idsOf(here)).toEqual(['both', 'stays', 'three'])
    await eventually(() => stored(app, room)).toEqual(['both', 'stays', 'three'])
    await eventually(() => audience.ids).toEqual(['both', 'stays', 'three'])
    expect(performance.now() - before).toBeLessThan(15_000)
    expect(await lives.close()).toBe(0)
    await eventually(() => audience.ids).toEqual(['stays'])
    expect(audience.wrong).toEqual([])
    expect(app.errors).toEqual([])
  }, 60_000)

  test('a process that polls is there by its row, and leaves with it', async () => {
    const app = new App(database.url, { listen: false })
    const room = name()
    const audience = await watch(app.pubsub.presence(room))
    const polls = await startProcess(database.url, room, ['polls'], 'poll')
    await eventually(() => audience.ids).toEqual(['polls'])
    polls.kill('SIGKILL')
    // As half a minute later.
    const { identity } = app.db.hub
    await app.pool.query(
      `update howdah.hub_poller set seen_at = seen_at - interval '31 seconds' where id <> $1`,
      [identity],
    )
    expect(await idsOf(app.pubsub.presence(room))).toEqual([])
    await eventually(() => audience.ids).toEqual([])
  }, 60_000)

  test('a connection that is lost and made again is not noticed', async () => {
    const [one, two] = [new App(database.url), new App(database.url)]
    const room = name()
    const here = one.pubsub.presence<number>(room)
    const membership = await here.join('ada', 1)
    await here.join('ada', 2)
    const audience = await watch(two.pubsub.presence(room))
    const [before] = await here.list()
    const { identity } = one.db.hub
    await server.terminateBackends({ applicationName: 'howdah' })
    await eventually(() => one.db.hub.identity).not.toBe(identity)
    await eventually(() => two.pubsub.presence(room).list()).toEqual([before])
    await membership.update(3)
    await eventually(() => audience.members.get('ada')).toBe(3)
    expect(audience.log).toEqual(['join ada', 'update ada'])
  })

  test('a change that falls into a gap is told after it', async () => {
    await using proxy = await startProxy({ host: '127.0.0.1', port: server.port })
    const one = new App(database.url)
    const two = new App(database.url, {
      listen: proxy.url(database.url),
      hub: { liveness: '500ms' },
    })
    const room = name()
    const [leaves, updates] = await Promise.all(
      ['leaves', 'updates'].map((id) => one.pubsub.presence<number>(room).join(id, 1)),
    )
    const audience = await watch(two.pubsub.presence(room))
    proxy.freeze()
    await leaves?.leave()
    await updates?.update(2)
    await one.pubsub.presence<number>(room).join('joins', 1)
    await eventually(() => two.db.hub.state).toBe('connecting')
    proxy.cut()
    proxy.thaw()
    await eventually(() => [...audience.members].sort()).toEqual([
      ['joins', 1],
      ['updates', 2],
    ])
    expect(audience.wrong).toEqual([])
    await two.close()
  })

  test('after a crash of the server, and after a restart, members of living processes are there again', async () => {
    const app = new App(database.url)
    const room = name()
    await app.pubsub.presence<string>(room).join('here', 'data')
    await startProcess(database.url, room, ['there'])
    const audience = await watch(app.pubsub.presence(room))
    const before = (await app.pubsub.presence(room).list()).map(({ id, since }) => [id, since])
    const again = () =>
      app.pubsub
        .presence(room)
        .list()
        .then((members) => members.map(({ id, since }) => [id, since]))
        .catch(() => 'away')
    await server.kill()
    await server.start()
    await eventually(again).toEqual(before)
    await server.restart()
    await eventually(again).toEqual(before)
    await eventually(() => audience.ids).toEqual(['here', 'there'])
    expect(audience.members.get('here')).toBe('data')
    expect(audience.wrong).toEqual([])
  }, 60_000)

  test('a write that fails is told, and made up for; who failed to join is not there', async () => {
    const app = new App(database.url)
    const presence = app.pubsub.presence<number>(name())
    const [updates, leaves] = await Promise.all(
      ['updates', 'leaves'].map((id) => presence.join(id, 1)),
    )
    const audience = await watch(presence)
    const rename = (from: string, to: string) =>
      app.pool.query(`alter table howdah.${from} rename to ${to}`)
    await rename('presence_member', 'away')
    const calls = [updates?.update(2), leaves?.leave(), presence.join('fails', 1)]
    for (const { status } of await Promise.allSettled(calls)) expect(status).toBe('rejected')
    await eventually(() => app.errors.length).toBeGreaterThanOrEqual(1)
    await rename('away', 'presence_member')
    await eventually(() => [...audience.members]).toEqual([['updates', 2]])
    await presence.join('joins', 3)
    expect(await idsOf(presence)).toEqual(['joins', 'updates'])
  })

  test('close() ends while the server is frozen', async () => {
    const app = new App(database.url)
    const room = app.pubsub.presence(name())
    await room.join('ada')
    await room.subscribe({ onJoin() {} })
    await server.freeze()
    const joining = room.join('bob').catch((error) => error)
    await app.pubsub.close()
    await server.thaw()
    await joining
    await app.close()
  })
})
