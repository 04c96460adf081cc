import { Database, HowdahError } from '@howdah/core'
import { startProxy } from '@howdah/testkit'
import { afterEach, describe, expect, test } from 'vitest'
import { WebSocketGateway } from '../src/adapters/websocket.js'
import type { Batch, BatchesOptions, StreamMessage } from '../src/stream/batch.js'
import {
  closeAll,
  closeLater,
  openOptions,
  RawClient,
  refusal,
  STREAM,
  serve,
} from './gateway-support.js'
import { TwoProcesses } from './two-processes.js'

const bench = new TwoProcesses()
afterEach(closeAll)

describe('streams', () => {
  test('reach every client complete, in order and with proof of continuity', async () => {
    const pubsub = bench.pubSub()
    const name = STREAM + bench.fresh()
    const stream = pubsub.stream<number>(name)
    await stream.appendMany([1, 2, 3].map((payload) => ({ payload })))
    const { url } = await serve(openOptions(pubsub))
    const [early, late] = await Promise.all([RawClient.open(url), RawClient.open(url)])
    const position = await stream.head()
    expect(await early.subscribe(name, { after: 'earliest' })).toMatchObject({ state: 'live' })
    expect(await late.subscribe(name, { after: position })).toEqual({
      t: 'subd',
      id: 1,
      ch: name,
      state: 'recovered',
      off: position,
    })
    for (let n = 4; n <= 200; n++) await stream.append(n)
    await late.wait('msg', 197)
    await early.wait('msg', 200)
    expect(early.ofType('msg').map(({ data }) => data)).toEqual(upTo(200))
    expect(late.ofType('msg').map(({ data }) => data)).toEqual(upTo(200).slice(3))
    let last = 0
    for (const { off, prev } of early.ofType('msg')) {
      expect(prev).toBe(last)
      last = Number(String(off).split(':')[1])
    }
  })

  test('go on where another gateway stopped', async () => {
    const name = STREAM + bench.fresh()
    const first = await serve(openOptions(bench.pubSub(0)))
    const second = await serve(openOptions(bench.pubSub(1)))
    const stream = bench.pubSub(0).stream<number>(name)
    const before = await RawClient.open(first.url)
    await before.subscribe(name)
    await stream.append(1)
    const { off } = await before.wait('msg')
    await first.gateway.close()
    expect(await before.waitClosed()).toMatchObject({ code: 1012 })
    await stream.append(2)
    const after = await RawClient.open(second.url)
    expect(await after.subscribe(name, { after: off })).toMatchObject({ state: 'recovered', off })
    expect(await after.wait('msg')).toMatchObject({ data: 2, prev: 1 })
  })

  test('tell what is gone before what is left', async () => {
    const pubsub = bench.pubSub()
    const name = STREAM + bench.fresh()
    const stream = pubsub.stream<number>(name)
    await stream.append(0)
    const { url } = await serve(openOptions(pubsub))
    const client = await RawClient.open(url)
    const subd = await client.subscribe(name, { after: '1:999999' })
    expect(subd).toMatchObject({ state: 'reset', valid: 1 })
  })

  test('go on after a failure from where they were, and tell what broke, before what follows', async () => {
    // What a server that fails, prunes or was replaced makes of a stream; real ones are in the tests of streams.
    const message = (epoch: number, offset: number): StreamMessage => ({
      offset,
      position: `${epoch}:${offset}`,
      key: undefined,
      payload: offset,
      headers: undefined,
      at: 0,
    })
    const ok = { continuity: 'ok', validUntil: 0, lost: 0, next: '', head: 0 } as const
    const asked: unknown[] = []
    const source = {
      async *batches({ after }: BatchesOptions = {}): AsyncGenerator<Batch> {
        asked.push(after)
        if (asked.length === 1) {
          yield { ...ok, messages: [message(1, 5), message(1, 6)] }
          throw new Error('the server is away')
        }
        yield { ...ok, messages: [message(1, 7)] }
        yield { ...ok, messages: [message(1, 20)], continuity: 'truncated', lost: 12 }
        yield { ...ok, messages: [message(2, 16)], continuity: 'reset', validUntil: 15 }
        throw new HowdahError('PUBSUB_NOT_FOUND', 'It was dropped.')
      },
    }
    const { url, gateway } = await serve({ ...openOptions(bench.pubSub()), resolve: () => source })
    const errors: unknown[] = []
    gateway.on('error', (error) => errors.push(error))
    const client = await RawClient.open(url)
    client.send({ t: 'sub', id: 3, ch: 'x', after: '1:4' })
    await client.wait('error')
    expect(asked).toEqual(['1:4', '1:6'])
    expect(errors).toMatchObject([{ message: 'the server is away' }])
    expect(client.frames).toEqual([
      { t: 'subd', id: 3, ch: 'x', state: 'recovered', off: '1:4' },
      { t: 'msg', ch: 'x', off: '1:5', prev: 4, data: 5 },
      { t: 'msg', ch: 'x', off: '1:6', prev: 5, data: 6 },
      { t: 'msg', ch: 'x', off: '1:7', prev: 6, data: 7 },
      { t: 'subd', id: 3, ch: 'x', state: 'truncated', off: '1:19', lost: 12 },
      { t: 'msg', ch: 'x', off: '1:20', prev: 19, data: 20 },
      { t: 'subd', id: 3, ch: 'x', state: 'reset', off: '2:15', valid: 15 },
      { t: 'msg', ch: 'x', off: '2:16', prev: 15, data: 16 },
      { t: 'error', code: 'PUBSUB_NOT_FOUND', message: 'It was dropped.', ch: 'x', id: 3 },
    ])
    expect(gateway.stats().subscriptions).toBe(0)
  })

  test('refuse a position that nobody can have', async () => {
    const pubsub = bench.pubSub()
    const { url } = await serve(openOptions(pubsub))
    for (const after of ['x', '1:', '1:-1', 7, null, {}, `1:${'9'.repeat(30)}`]) {
      const client = await RawClient.open(url)
      client.send({ t: 'sub', id: 1, ch: `${STREAM}x`, after })
      expect(await client.waitClosed()).toMatchObject({ code: 4400 })
    }
  })
})

describe('channels', () => {
  test('reach clients of all processes, at most once', async () => {
    const name = bench.fresh()
    const [one, other] = await Promise.all([
      serve(openOptions(bench.pubSub(0))),
      serve(openOptions(bench.pubSub(1))),
    ])
    const clients = await Promise.all([one, one, other].map(({ url }) => RawClient.open(url)))
    for (const client of clients) {
      expect(await client.subscribe(name)).toEqual({ t: 'subd', id: 1, ch: name, state: 'live' })
    }
    const message = { text: 'a "quoted"\u2028 line\n', deep: { __proto__: null, n: [1, null] } }
    await bench.pubSub(0).channel(name).publish(message)
    for (const client of clients) {
      expect(await client.wait('msg')).toEqual({ t: 'msg', ch: name, data: message })
    }
  })

  test('tell a gap after the connection to PostgreSQL was lost', async () => {
    const name = bench.fresh()
    const pubsub = bench.pubSub()
    const { url } = await serve(openOptions(pubsub))
    const client = await RawClient.open(url)
    await client.subscribe(name)
    await bench.rows(
      `select pg_terminate_backend(pid) from pg_stat_activity
       where datname = current_database() and application_name = 'howdah'`,
    )
    expect(await client.wait('gap')).toEqual({ t: 'gap', ch: name })
    await pubsub.channel(name).publish('later')
    await client.wait('msg')
  })

  test('are let go when the last client has left, by whatever way', async () => {
    const pubsub = bench.pubSub(1)
    const { url, gateway } = await serve(openOptions(pubsub))
    const [a, b, c] = await Promise.all([1, 2, 3].map(() => RawClient.open(url)))
    const name = bench.fresh()
    for (const client of [a, b, c]) await client?.subscribe(name)
    expect(gateway.stats()).toMatchObject({ clients: 3, subscriptions: 3 })
    a?.send({ t: 'unsub', ch: name })
    b?.ws.close()
    c?.ws.terminate()
    await expect.poll(() => gateway.stats()).toMatchObject({ clients: 1, subscriptions: 0 })
    const { hub } = Database.from(bench.pools[1])
    await expect.poll(() => hub.state).toBe('idle')
  })

  test('stay one subscription when a client asks again and again', async () => {
    const pubsub = bench.pubSub()
    const { url, gateway } = await serve(openOptions(pubsub))
    const client = await RawClient.open(url)
    const name = bench.fresh()
    for (let id = 1; id <= 20; id++) {
      client.send({ t: 'sub', id, ch: name })
      if (id % 3 === 0) client.send({ t: 'unsub', ch: name })
    }
    client.send({ t: 'sub', id: 21, ch: name })
    await expect.poll(() => client.ofType('subd').at(-1)).toMatchObject({ id: 21 })
    await pubsub.channel(name).publish(1)
    await client.wait('msg')
    await pubsub.channel(name).publish(2)
    await client.wait('msg', 2)
    expect(client.ofType('msg').map(({ data }) => data)).toEqual([1, 2])
    expect(gateway.stats().subscriptions).toBe(1)
  })
})

describe('publishing', () => {
  test('reaches channels and streams, and is answered', async () => {
    const pubsub = bench.pubSub()
    const { url } = await serve(openOptions(pubsub))
    const [sender, reader] = await Promise.all([RawClient.open(url), RawClient.open(url)])
    const names = [bench.fresh(), STREAM + bench.fresh()]
    for (const name of names) await reader.subscribe(name)
    for (const [n, ch] of names.entries()) {
      sender.send({ t: 'pub', id: n + 1, ch, data: { n } })
      expect(await sender.wait('ok', n + 1)).toEqual({ t: 'ok', id: n + 1 })
    }
    await reader.wait('msg', 2)
    expect(new Set(reader.ofType('msg').map(({ ch }) => ch))).toEqual(new Set(names))
  })

  test('is refused without permission, and says so by the id', async () => {
    const pubsub = bench.pubSub()
    const { url } = await serve({
      ...openOptions(pubsub),
      authorize: (_, __, action) => action === 'subscribe',
    })
    const client = await RawClient.open(url)
    client.send({ t: 'pub', id: 5, ch: 'x', data: 1 })
    expect(await client.wait('error')).toMatchObject({ id: 5, code: 'PUBSUB_FORBIDDEN' })
  })
})

describe('an upgrade', () => {
  test('is refused by origin, context and limits before it happens', async () => {
    const pubsub = bench.pubSub()
    const { url, port, gateway } = await serve({
      ...openOptions(pubsub),
      maxClients: 3,
      maxClientsPerKey: { key: ({ user }) => user, max: 1 },
      context: ({ headers }) => {
        const user = headers['x-user']
        if (user === 'boom') throw new Error('the session store is away')
        if (user === 'barred') return 403
        return typeof user === 'string' ? { user } : 401
      },
    })
    const as = (user: string, origin?: string) => ({
      headers: { 'x-user': user },
      ...(origin === undefined ? {} : { origin }),
    })
    expect(await refusal(url)).toBe(401)
    expect(await refusal(url, as('barred'))).toBe(403)
    expect(await refusal(url, as('boom'))).toBe(500)
    for (const origin of ['https://evil.example', 'null', `http://127.0.0.1:${port + 1}`]) {
      expect(await refusal(url, as('ann', origin))).toBe(403)
    }
    expect(await refusal(url.replace('/realtime', '/other'), as('ann'))).toBe(404)
    const ann = await RawClient.open(url, as('ann', `http://127.0.0.1:${port}`))
    expect(await refusal(url, as('ann'))).toBe(429)
    await RawClient.open(url, as('bob'))
    await RawClient.open(url, as('cyd'))
    expect(await refusal(url, as('dan'))).toBe(503)
    ann.ws.close()
    await expect.poll(() => gateway.stats().clients).toBe(2)
    await RawClient.open(url, as('ann'))
  })

  test('comes from the pages of a list where there is one', async () => {
    const pubsub = bench.pubSub()
    const { url } = await serve({ ...openOptions(pubsub), origins: ['https://app.example'] })
    await RawClient.open(url, { origin: 'https://app.example' })
    expect(await refusal(url, { origin: 'https://app.example.evil' })).toBe(403)
    expect(await refusal(url, { origin: 'http://app.example' })).toBe(403)
  })

  test('may be routed by the application', async () => {
    const pubsub = bench.pubSub()
    const { gateway, server, port } = await serve(openOptions(pubsub))
    server.on('upgrade', (request, socket, head) => {
      if (request.url === '/mine') gateway.handleUpgrade(request, socket, head)
    })
    await RawClient.open(`ws://127.0.0.1:${port}/mine`)
    await RawClient.open(`ws://127.0.0.1:${port}/realtime`)
  })

  test('that is gone before it is let in counts no more', async () => {
    const answers: ((context: { user: string }) => void)[] = []
    const { port, url } = await serve({
      ...openOptions(bench.pubSub()),
      maxClients: 1,
      context: () => new Promise((resolve) => answers.push(resolve)),
    })
    await using proxy = await startProxy({ host: '127.0.0.1', port })
    const gone = new RawClient(`ws://127.0.0.1:${proxy.port}/realtime`)
    await expect.poll(() => answers.length).toBe(1)
    proxy.cut()
    await gone.waitClosed()
    expect(await refusal(url)).toBe(503)
    answers[0]?.({ user: 'gone' })
    await expect
      .poll(async () => {
        const next = new RawClient(url)
        await Promise.race([next.waitClosed(), expect.poll(() => answers.length).toBe(2)])
        return answers.length
      })
      .toBe(2)
  })

  test('of several gateways goes to the one whose path it is, and to nobody else', async () => {
    const { server, port } = await serve(openOptions(bench.pubSub()))
    const other = closeLater(new WebSocketGateway(openOptions(bench.pubSub())))
    expect(() => other.attach(server, { path: '/realtime' })).toThrow(/another/)
    const detach = other.attach(server, { path: '/other' })
    await RawClient.open(`ws://127.0.0.1:${port}/other?x=1`)
    expect(other.stats().clients).toBe(1)
    expect(await refusal(`ws://127.0.0.1:${port}/neither`)).toBe(404)
    detach()
    expect(await refusal(`ws://127.0.0.1:${port}/other`)).toBe(404)
  })

  test('that is no proper one is answered, and counts no more', async () => {
    const pubsub = bench.pubSub()
    const { port } = await serve({ ...openOptions(pubsub), maxClients: 1 })
    for (let n = 0; n < 3; n++) {
      const answer = await fetchUpgrade(port)
      expect(answer).toContain('400 Bad Request')
    }
    await RawClient.open(`ws://127.0.0.1:${port}/realtime`)
  })
})

function upTo(n: number): number[] {
  return Array.from({ length: n }, (_, i) => i + 1)
}

async function fetchUpgrade(port: number): Promise<string> {
  const { connect } = await import('node:net')
  const socket = connect(port, '127.0.0.1')
  socket.write(
    'GET /realtime HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\r\n',
  )
  let text = ''
  for await (const chunk of socket) text += String(chunk)
  return text
}
