import { type PostgresServer, startPostgres, startProxy, type TestDatabase } from '@howdah/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { DatabaseOptions } from '../src/index.js'
import { App, eventually, hubSessions, leavesNothingOpen, Recorder } from './hub-support.js'

let server: PostgresServer
let database: TestDatabase

/** Comes back soon, and takes nothing for dead that is only slow: on a busy machine, an answer may take seconds. */
const STEADY: DatabaseOptions = { hub: { reconnectMax: '200ms' } }

/** Finds a dead connection soon, and now and then takes a slow one for dead. */
const WATCHFUL: DatabaseOptions = { hub: { liveness: '500ms', reconnectMax: '200ms' } }

beforeAll(async () => {
  server = await startPostgres()
  database = await server.createDatabase()
})
afterAll(async () => {
  await server?.close()
})

/** Sends until one arrives, as the pool may still hold connections of the server that is gone. */
async function flowsAgain(app: App, recorder: Recorder, payload: string): Promise<void> {
  await eventually(async () => {
    await app.hub.send('k', 'n', payload).catch(() => {})
    return recorder.payloads.includes(payload)
  }).toBe(true)
}

/** Breaks something between two messages. Afterwards messages flow as before, and a gap was reported before they did. */
async function survives(app: App, fail: () => Promise<void>): Promise<void> {
  const recorder = new Recorder()
  const unregister = await app.hub.register('k', recorder)
  const gaps = app.hub.stats().gaps
  await flowsAgain(app, recorder, 'before')
  const [states, entries] = [app.states.length, recorder.log.length]
  await fail()
  await eventually(() => app.states.slice(states)).toContain('listening')
  await flowsAgain(app, recorder, 'after')
  const since = recorder.log.slice(entries)
  const after = since.findIndex(([, payload]) => payload === 'after')
  expect(since.slice(0, after)).toContain('gap')
  expect(app.hub.stats().gaps - gaps).toBe(recorder.gaps)
  await eventually(() => app.hub.state).toBe('listening')
  await unregister()
}

/** Neither this process nor the server has anything open afterwards that it had not before. */
async function leaksNothing(work: () => Promise<void>): Promise<void> {
  await leavesNothingOpen(work)
  await eventually(() => database.sessions()).toEqual([])
}

test('the server is killed and started again: a gap is reported, then messages flow', async () => {
  await leaksNothing(async () => {
    await using app = new App(database.url, STEADY)
    await survives(app, async () => {
      await server.kill()
      await eventually(() => app.hub.state).toBe('connecting')
      await server.start()
    })
  })
})

test('the LISTEN backend is terminated, again and again', async () => {
  await leaksNothing(async () => {
    await using app = new App(database.url, STEADY)
    for (let round = 0; round < 3; round++) {
      await survives(app, async () => {
        expect(await server.terminateBackends({ applicationName: 'howdah' })).toBe(1)
      })
    }
    await app.hub.register('k', new Recorder())
    expect(await hubSessions(database)).toBe(1)
  })
})

test('the LISTEN connection goes half-open: it is found dead and replaced', async () => {
  await leaksNothing(async () => {
    await using proxy = await startProxy({ host: '127.0.0.1', port: server.port })
    await using app = new App(database.url, { ...WATCHFUL, listen: proxy.url(database.url) })
    await survives(app, async () => {
      proxy.freeze()
      // What is sent now reaches a connection that does not hear it: this is what the gap is about.
      await app.hub.send('k', 'n', 'unheard')
      await eventually(() => app.hub.state).toBe('connecting')
      proxy.cut()
      proxy.thaw()
    })
    expect(app.errors).toContainEqual(expect.objectContaining({ code: 'CORE_HUB_DISCONNECTED' }))
  })
})

test('messages that come while a handler catches up wait for it, and other handlers do not', async () => {
  await using app = new App(database.url, STEADY)
  let release = () => {}
  const slow = new Recorder()
  slow.onGap = () => {
    slow.log.push('gap')
    return new Promise((resolve) => {
      release = resolve
    })
  }
  const quick = new Recorder()
  await app.hub.register('k', slow)
  await app.hub.register('k', quick)
  await server.terminateBackends({ applicationName: 'howdah' })
  await eventually(() => slow.gaps === 1).toBe(true)
  await app.hub.send('k', 'n', 1)
  await app.hub.send('k', 'n', 2)
  await eventually(() => quick.log).toEqual(['gap', ['n', 1], ['n', 2]])
  expect(slow.log).toEqual(['gap'])
  release()
  await eventually(() => slow.log).toEqual(['gap', ['n', 1], ['n', 2]])
})

test('losing the connection again while catching up calls for catching up again, one at a time', async () => {
  await using app = new App(database.url, STEADY)
  let running = 0
  let most = 0
  let release = () => {}
  const handler = new Recorder()
  handler.onGap = async () => {
    handler.log.push('gap')
    most = Math.max(most, ++running)
    await new Promise<void>((resolve) => {
      release = resolve
    })
    running--
  }
  await app.hub.register('k', handler)
  for (const losses of [1, 2]) {
    const up = app.states.filter((state) => state === 'listening').length
    expect(await server.terminateBackends({ applicationName: 'howdah' })).toBe(1)
    await expect.poll(() => app.states.filter((state) => state === 'listening').length).toBe(up + 1)
    expect(app.hub.stats().gaps).toBe(losses)
  }
  await app.hub.send('k', 'n', 'held')
  expect(handler.log).toEqual(['gap'])
  release()
  await eventually(() => handler.log).toEqual(['gap', 'gap'])
  release()
  await eventually(() => handler.log).toEqual(['gap', 'gap', ['n', 'held']])
  expect(most).toBe(1)
})

test('a handler that is swamped while it catches up is told to catch up once more', async () => {
  await using app = new App(database.url, STEADY)
  let release = () => {}
  const handler = new Recorder()
  handler.onGap = () => {
    handler.log.push('gap')
    return new Promise((resolve) => {
      release = resolve
    })
  }
  await app.hub.register('k', handler)
  await server.terminateBackends({ applicationName: 'howdah' })
  await eventually(() => handler.gaps === 1).toBe(true)
  const count = 10_500
  await Promise.all(Array.from({ length: count }, (_, i) => app.hub.send('k', 'n', i)))
  await eventually(() => app.hub.stats().received).toBe(count)
  release()
  await eventually(() => handler.gaps === 2).toBe(true)
  release()
  await eventually(() => handler.payloads.at(-1)).toBe(count - 1)
  expect(handler.log.lastIndexOf('gap')).toBe(1)
  expect(handler.messages.length).toBeLessThan(10_000)
})

test('register() on a server that is away resolves once it is back', async () => {
  await server.stop()
  await using app = new App(database.url, STEADY)
  const recorder = new Recorder()
  const registered = app.hub.register('k', recorder)
  await eventually(() => app.errors.length >= 2).toBe(true)
  await server.start()
  await registered
  await flowsAgain(app, recorder, 'first')
  expect(recorder.gaps).toBe(0)
})

test('close() ends while connecting to a server that is away, and the waiting register() fails', async () => {
  await leaksNothing(async () => {
    const app = new App('postgres://127.0.0.1:1/none', STEADY)
    const registered = app.hub.register('k', new Recorder()).catch((error) => error)
    await eventually(() => app.errors.length >= 1).toBe(true)
    await app[Symbol.asyncDispose]()
    expect(await registered).toMatchObject({ code: 'CORE_CLOSED' })
    expect(app.hub.state).toBe('closed')
  })
})

test('close() ends while a connection attempt gets no answer, and cuts it', async () => {
  await using proxy = await startProxy({ host: '127.0.0.1', port: server.port })
  proxy.freeze()
  await leavesNothingOpen(async () => {
    // The attempt alone would last longer than we wait for its socket to go.
    const patient = { connectionTimeoutMillis: 120_000 }
    const app = new App(database.url, { listen: proxy.url(database.url) }, patient)
    const registered = app.hub.register('k', new Recorder()).catch((error) => error)
    await eventually(() => proxy.connections).toBe(1)
    await app[Symbol.asyncDispose]()
    expect(await registered).toMatchObject({ code: 'CORE_CLOSED' })
  })
})

test('close() ends while the LISTEN connection is frozen, also in the middle of a liveness query', async () => {
  for (const liveness of ['50ms', '5s'] as const) {
    await leaksNothing(async () => {
      await using proxy = await startProxy({ host: '127.0.0.1', port: server.port })
      const listen = proxy.url(database.url)
      const app = new App(database.url, { listen, hub: { liveness } })
      await app.hub.register('k', new Recorder())
      proxy.freeze()
      if (liveness === '50ms') await eventually(() => app.hub.state).toBe('connecting')
      await app[Symbol.asyncDispose]()
    })
  }
})

test('close() ends while the whole server is frozen and messages wait to be sent', async () => {
  await leaksNothing(async () => {
    const app = new App(database.url, STEADY)
    await app.hub.register('k', new Recorder())
    await app.hub.send('k', 'n')
    await server.freeze()
    const outcome = (send: Promise<void>) =>
      send.then(
        () => 'sent',
        (error) => error.code,
      )
    const underWay = [1, 2].map((n) => outcome(app.hub.send('k', 'n', n)))
    await new Promise((resolve) => setImmediate(resolve))
    const waiting = outcome(app.hub.send('k', 'n', 3))
    app.hub.ring('k', 'bell')
    await app.db.close()
    expect(await waiting).toBe('CORE_CLOSED')
    await server.thaw()
    expect(await Promise.all(underWay)).toEqual(['sent', 'sent'])
    await app.pool.end()
  })
})
