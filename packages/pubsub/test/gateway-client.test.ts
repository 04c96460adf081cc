import { once } from 'node:events'
import { createServer } from 'node:http'
import { gzipSync } from 'node:zlib'
import { startProxy } from '@howdah/testkit'
import fc from 'fast-check'
import { afterEach, describe, expect, test } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import { type Connection, type ConnectOptions, connect } from '../src/adapters/browser.js'
import { bundleClient } from './bundle.js'
import { type Ctx, closeAll, listen, openOptions, STREAM, serve } from './gateway-support.js'
import { TwoProcesses } from './two-processes.js'

const bench = new TwoProcesses()
const connections: Connection[] = []
afterEach(async () => {
  for (const connection of connections.splice(0)) connection.close()
  await closeAll()
})

function client(url: string, options: ConnectOptions = {}): Connection {
  const made = connect(url, { WebSocket, maxDelay: 50, ...options })
  connections.push(made)
  return made
}

/** A gateway that says what the test wants. */
async function scripted(
  onFrame: (frame: Record<string, unknown>, send: (frame: unknown) => void) => void,
): Promise<{ url: string; server: WebSocketServer }> {
  const http = createServer()
  const server = new WebSocketServer({ server: http })
  server.on('connection', (ws) => {
    ws.on('message', (data) => onFrame(JSON.parse(String(data)), (f) => ws.send(JSON.stringify(f))))
  })
  return { url: `ws://127.0.0.1:${await listen(http)}`, server }
}

describe('a subscription', () => {
  test('to a stream survives any number of cuts, complete and in order', async () => {
    const pubsub = bench.pubSub()
    const name = STREAM + bench.fresh()
    const stream = pubsub.stream<number>(name)
    const { port } = await serve(openOptions(pubsub))
    await using proxy = await startProxy({ host: '127.0.0.1', port })
    const connection = client(`ws://127.0.0.1:${proxy.port}/realtime`)
    const heard: number[] = []
    const states: string[] = []
    connection.subscribe<number>(name, {
      onMessage: (n) => heard.push(n),
      onSubscribed: (state) => states.push(state),
    })
    await expect.poll(() => states).toEqual(['live'])
    for (let round = 0; round < 10; round++) {
      proxy.cut()
      await stream.appendMany(Array.from({ length: 50 }, (_, n) => ({ payload: round * 50 + n })))
      await expect.poll(() => heard.length, { interval: 5 }).toBeGreaterThan(round * 50)
    }
    await expect.poll(() => heard.length).toBe(500)
    expect(heard).toEqual(Array.from({ length: 500 }, (_, n) => n))
    expect(new Set(states.slice(1))).toEqual(new Set(['recovered']))
  })

  test('to a channel is there again after a cut, and tells the gap', async () => {
    const pubsub = bench.pubSub()
    const name = bench.fresh()
    const { port } = await serve(openOptions(pubsub))
    await using proxy = await startProxy({ host: '127.0.0.1', port })
    const connection = client(`ws://127.0.0.1:${proxy.port}/realtime`)
    const heard: unknown[] = []
    let subscribed = 0
    connection.subscribe(name, {
      onMessage: (message) => heard.push(message),
      onGap: () => heard.push('gap'),
      onSubscribed: () => subscribed++,
    })
    await expect.poll(() => subscribed).toBe(1)
    await pubsub.channel(name).publish(1)
    await expect.poll(() => heard).toEqual([1])
    proxy.cut()
    await expect.poll(() => subscribed).toBe(2)
    await pubsub.channel(name).publish(2)
    await expect.poll(() => heard).toEqual([1, 'gap', 2])
  })

  test('is filtered on the server, and goes on from what it passed over', async () => {
    const pubsub = bench.pubSub()
    const name = STREAM + bench.fresh()
    const stream = pubsub.stream<{ n: number }>(name)
    const { port } = await serve({ ...openOptions(pubsub), heartbeat: '50ms' })
    await using proxy = await startProxy({ host: '127.0.0.1', port })
    const connection = client(`ws://127.0.0.1:${proxy.port}/realtime`)
    const heard: number[] = []
    const states: string[] = []
    const subscription = connection.subscribe<{ n: number }>(name, {
      after: 'earliest',
      filter: { n: { in: [3, 1500] } },
      onMessage: ({ n }) => heard.push(n),
      onSubscribed: (state) => states.push(state),
    })
    await expect.poll(() => states).toEqual(['live'])
    await stream.appendMany(Array.from({ length: 1000 }, (_, n) => ({ payload: { n } })))
    // By skips every so many messages, and by the heartbeat for the rest.
    await expect.poll(() => subscription.position).toBe('1:1000')
    proxy.cut()
    await stream.appendMany(Array.from({ length: 1000 }, (_, n) => ({ payload: { n: 1000 + n } })))
    await expect.poll(() => subscription.position).toBe('1:2000')
    expect(heard).toEqual([3, 1500])
  })

  test('drops what it had and asks again on a hole, whatever a gateway sends', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.integer({ min: 1, max: 12 }), fc.integer({ min: -1, max: 1 })), {
          maxLength: 30,
        }),
        async (noise) => {
          let asked = 0
          const { url } = await scripted((frame, send) => {
            if (frame['t'] !== 'sub') return
            const { id, ch } = frame
            const after = Number(String(frame['after'] ?? '1:0').split(':')[1])
            send({ t: 'msg', ch, off: '1:99', prev: 98, data: 'stale' })
            send({ t: 'subd', id: -7, ch, state: 'live', off: '1:50' })
            send({ t: 'subd', id, ch, state: 'live', off: `1:${after}` })
            if (++asked === 1) {
              for (const [n, shift] of noise) {
                // Right in itself, or with a false claim of what came before.
                send({ t: 'msg', ch, off: `1:${n}`, prev: shift < 0 ? n + 5 : n - 1, data: n })
              }
            }
            for (let n = after + 1; n <= 13; n++) {
              send({ t: 'msg', ch, off: `1:${n}`, prev: n - 1, data: n })
              if (n % 2 === 0) send({ t: 'msg', ch, off: `1:${n}`, prev: n - 1, data: n })
            }
          })
          const heard: number[] = []
          const connection = client(url)
          connection.subscribe<number>('s', { after: '1:0', onMessage: (n) => heard.push(n) })
          await expect.poll(() => heard.length, { interval: 2 }).toBe(13)
          expect(heard).toEqual(Array.from({ length: 13 }, (_, n) => n + 1))
          connection.close()
        },
      ),
      { numRuns: 40 },
    )
  })

  test('does not ask again for what it has', async () => {
    let asked = 0
    const { url } = await scripted(({ t, id, ch }, send) => {
      if (t !== 'sub') return
      asked++
      send({ t: 'subd', id, ch, state: 'live', off: '1:0' })
      for (const n of [1, 2, 1, 2, 2, 3])
        send({ t: 'msg', ch, off: `1:${n}`, prev: n - 1, data: n })
    })
    const heard: unknown[] = []
    client(url).subscribe('s', { onMessage: (n) => heard.push(n) })
    await expect.poll(() => heard).toEqual([1, 2, 3])
    expect(asked).toBe(1)
  })

  test('tells of what is gone, what never happened, and refusals', async () => {
    const answers = [
      { state: 'truncated', off: '1:100', lost: 60 },
      { state: 'reset', off: '2:90', valid: 90 },
    ]
    const { url, server } = await scripted((frame, send) => {
      if (frame['t'] !== 'sub') return
      const { id, ch } = frame
      const answer = answers.shift()
      if (answer !== undefined) send({ t: 'subd', id, ch, ...answer })
      else send({ t: 'error', code: 'PUBSUB_FORBIDDEN', message: 'no', ch, id })
    })
    const told: unknown[] = []
    const subscription = client(url).subscribe('s', {
      after: '1:40',
      onMessage: () => {},
      onTruncated: (lost) => told.push(['truncated', lost]),
      onReset: (valid) => told.push(['reset', valid]),
      onError: (code) => told.push(code),
    })
    for (let n = 1; n <= 3; n++) {
      await expect.poll(() => told.length).toBe(n)
      for (const ws of server.clients) ws.terminate()
    }
    expect(told.slice(0, 3)).toEqual([['truncated', 60], ['reset', 90], 'PUBSUB_FORBIDDEN'])
    expect(subscription.position).toBe('2:90')
  })

  test('hands over bytes as bytes', async () => {
    const bytes = Uint8Array.from([0, 255, 1, 128])
    const { url } = await scripted(({ t, id, ch }, send) => {
      if (t !== 'sub') return
      send({ t: 'subd', id, ch, state: 'live' })
      send({ t: 'msg', ch, b64: Buffer.from(bytes).toString('base64') })
    })
    const heard: unknown[] = []
    client(url).subscribe('s', { onMessage: (message) => heard.push(message) })
    await expect.poll(() => heard).toEqual([bytes])
  })

  test('is one a channel, and ends', async () => {
    const pubsub = bench.pubSub()
    const { url, gateway } = await serve(openOptions(pubsub))
    const connection = client(url)
    const name = bench.fresh()
    const first = connection.subscribe(name, { onMessage: () => {} })
    expect(() => connection.subscribe(name, { onMessage: () => {} })).toThrow(/already/)
    await expect.poll(() => gateway.stats().subscriptions).toBe(1)
    first.close()
    await expect.poll(() => gateway.stats().subscriptions).toBe(0)
    connection.subscribe(name, { onMessage: () => {} })
    await expect.poll(() => gateway.stats().subscriptions).toBe(1)
    connection.close()
    await expect.poll(() => gateway.stats().clients).toBe(0)
    expect(connection.state).toBe('closed')
    expect(() => connection.subscribe('x', { onMessage: () => {} })).toThrow()
  })
})

describe('a connection', () => {
  test('that went silent is given up and opened again', async () => {
    const pubsub = bench.pubSub()
    const name = STREAM + bench.fresh()
    const { port } = await serve(openOptions(pubsub))
    await using proxy = await startProxy({ host: '127.0.0.1', port })
    const states: string[] = []
    const connection = client(`ws://127.0.0.1:${proxy.port}/realtime`, {
      heartbeat: 50,
      patience: 200,
      onState: (state) => states.push(state),
    })
    const heard: unknown[] = []
    connection.subscribe(name, { after: 'earliest', onMessage: (n) => heard.push(n) })
    await pubsub.stream(name).append(1)
    await expect.poll(() => heard).toEqual([1])
    proxy.freeze()
    await pubsub.stream(name).append(2)
    await expect.poll(() => states).toContain('waiting')
    proxy.thaw()
    await expect.poll(() => heard).toEqual([1, 2])
  })

  test('goes elsewhere when its gateway drains', async () => {
    const [first, second] = [bench.pubSub(0), bench.pubSub(1)]
    const name = STREAM + bench.fresh()
    const stream = first.stream<number>(name)
    const one = await serve(openOptions(first))
    const two = await serve(openOptions(second))
    let url = one.url
    class Socket extends WebSocket {
      constructor() {
        super(url)
      }
    }
    const heard: number[][] = []
    for (let n = 0; n < 20; n++) {
      const mine: number[] = []
      heard.push(mine)
      client('ws://unused', {
        WebSocket: Socket,
      }).subscribe<number>(name, { after: 'earliest', onMessage: (message) => mine.push(message) })
    }
    await stream.append(0)
    await expect.poll(() => heard.every(({ length }) => length === 1)).toBe(true)
    url = two.url
    const drained = one.gateway.drain({ within: '300ms' })
    for (let n = 1; n < 100; n++) await stream.append(n)
    await drained
    await expect.poll(() => two.gateway.stats().clients).toBe(20)
    await expect.poll(() => heard.every(({ length }) => length === 100)).toBe(true)
    for (const mine of heard) expect(mine).toEqual(Array.from({ length: 100 }, (_, n) => n))
  })

  test('says who it is before anything else, each time, and again when asked', async () => {
    const pubsub = bench.pubSub()
    const name = bench.fresh()
    let tokens = 0
    const { url, gateway } = await serve({
      ...openOptions(pubsub),
      token: (token) => ({ user: token }),
      authorize: ({ user }: Ctx) => user !== 'nobody' && { until: Date.now() + 200 },
    })
    const errors: string[] = []
    let subscribed = 0
    client(url, { token: async () => `token ${++tokens}` }).subscribe(name, {
      onMessage: () => {},
      onSubscribed: () => subscribed++,
      onError: (code) => errors.push(code),
    })
    await expect.poll(() => tokens).toBeGreaterThan(4)
    expect([subscribed, errors]).toEqual([1, []])
    expect(gateway.stats().subscriptions).toBe(1)
  })

  test('publishes, and does not say so when it is not sure', async () => {
    const pubsub = bench.pubSub()
    const name = bench.fresh()
    const heard: unknown[] = []
    await pubsub.channel(name).subscribe((message) => heard.push(message))
    const { port } = await serve({
      ...openOptions(pubsub),
      authorize: async (_, channel) => channel === name || new Promise(() => {}),
    })
    await using proxy = await startProxy({ host: '127.0.0.1', port })
    const connection = client(`ws://127.0.0.1:${proxy.port}/realtime`)
    const code = (code: string) => expect.objectContaining({ code })
    await expect(connection.publish(name, 1)).rejects.toEqual(code('PUBSUB_DISCONNECTED'))
    await expect.poll(() => connection.state).toBe('open')
    await connection.publish(name, { n: 1 })
    await expect.poll(() => heard).toEqual([{ n: 1 }])
    const unanswered = connection.publish('never', 1)
    proxy.cut()
    await expect(unanswered).rejects.toEqual(code('PUBSUB_DISCONNECTED'))
  })

  test('waits longer after each failure, and comes back to a server that is back', async () => {
    const http = createServer()
    const port = await listen(http)
    http.close()
    await once(http, 'close')
    let tries = 0
    class Socket extends WebSocket {
      constructor(url: string) {
        super(url)
        tries++
      }
    }
    const connection = client(`ws://127.0.0.1:${port}/`, {
      WebSocket: Socket,
      maxDelay: 200,
    })
    await expect.poll(() => tries).toBeGreaterThan(3)
    const server = new WebSocketServer({ port, host: '127.0.0.1' })
    await expect.poll(() => connection.state).toBe('open')
    for (const ws of server.clients) ws.terminate()
    server.close()
  })

  test('is closed for good where the gateway says so', async () => {
    const { url, server } = await scripted(() => {})
    server.on('connection', (ws) => ws.close(4400))
    const states: unknown[] = []
    client(url, { onState: (state, code) => states.push([state, code]) })
    await expect.poll(() => states.at(-1)).toEqual(['closed', 'PUBSUB_BAD_FRAME'])
  })
})

describe('the bundle for browsers', () => {
  test('is below 5 kB and imports nothing', async () => {
    const { text, files } = await bundleClient()
    expect(files).toEqual([
      'adapters/browser.ts',
      'browser/connection.ts',
      'browser/subscription.ts',
    ])
    expect(gzipSync(text).length).toBeLessThan(5000)
    expect(text).not.toMatch(/\bimport\b|\brequire\b|process\./)
  })
})
