import { Database } from '@howdah/core'
import { afterEach, describe, expect, test } from 'vitest'
import { closeAll, openOptions, RawClient, refusal, STREAM, serve } from './gateway-support.js'
import { Bench } from './support.js'

const bench = new Bench()
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
