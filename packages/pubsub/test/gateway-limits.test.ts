import { startProxy } from '@howdah/testkit'
import { afterEach, describe, expect, test } from 'vitest'
import type { Batch } from '../src/stream/batch.js'
import { closeAll, openOptions, RawClient, STREAM, serve } from './gateway-support.js'
import { TwoProcesses } from './two-processes.js'

const bench = new TwoProcesses()
afterEach(closeAll)

describe('limits', () => {
  test('of frames and publishes refuse what is too much, and close who goes on', async () => {
    const pubsub = bench.pubSub()
    const { url } = await serve({
      ...openOptions(pubsub),
      frameRate: { burst: 20, perSecond: 0.001 },
      publishRate: { burst: 3, perSecond: 0.001 },
    })
    const client = await RawClient.open(url)
    for (let id = 1; id <= 5; id++) client.send({ t: 'pub', id, ch: 'x', data: id })
    await client.wait('ok', 3)
    await client.wait('error', 2)
    expect(client.ofType('error').map(({ id, code }) => [id, code])).toEqual([
      [4, 'PUBSUB_RATE_LIMITED'],
      [5, 'PUBSUB_RATE_LIMITED'],
    ])
    for (let n = 0; n < 100; n++) client.send({ t: 'ping' })
    expect(await client.waitClosed()).toMatchObject({ code: 4429 })
    expect(client.ofType('pong')).toHaveLength(15)
  })

  test('of subscriptions refuse one more, and not one that is asked for again', async () => {
    const { url } = await serve({ ...openOptions(bench.pubSub()), maxSubscriptions: 2 })
    const client = await RawClient.open(url)
    await client.subscribe('a')
    await client.subscribe('b')
    await client.subscribe('b')
    client.send({ t: 'sub', id: 9, ch: 'c' })
    expect(await client.wait('error')).toMatchObject({
      id: 9,
      code: 'PUBSUB_TOO_MANY_SUBSCRIPTIONS',
    })
    client.send({ t: 'unsub', ch: 'a' })
    await client.subscribe('c')
  })

  test('of size close the connection', async () => {
    const { url } = await serve({ ...openOptions(bench.pubSub()), maxFrameBytes: 1000 })
    const client = await RawClient.open(url)
    client.send({ t: 'pub', id: 1, ch: 'x', data: 'x'.repeat(1000) })
    expect(await client.waitClosed()).toMatchObject({ code: 1009 })
  })

  test('hold against frames that are none', async () => {
    const { url } = await serve(openOptions(bench.pubSub()))
    for (const bad of [
      '',
      '{',
      'null',
      '[]',
      '7',
      '{"t":"__proto__"}',
      '{"t":"sub","ch":"x"}',
      '{"t":"sub","id":1.5,"ch":"x"}',
      '{"t":"sub","id":1,"ch":""}',
      '{"t":"sub","id":1,"ch":"\\ud800"}',
      `{"t":"sub","id":1,"ch":"${'x'.repeat(1001)}"}`,
      '{"t":"pub","id":1,"ch":"x"}',
      '{"t":"token","token":{}}',
    ]) {
      const client = await RawClient.open(url)
      client.ws.send(bad)
      expect(await client.waitClosed()).toMatchObject({ code: 4400 })
    }
    const client = await RawClient.open(url)
    client.ws.send(Buffer.from('{"t":"ping"}'))
    expect(await client.waitClosed()).toMatchObject({ code: 1003 })
  })

  test('hold against names of any kind', async () => {
    const pubsub = bench.pubSub()
    const { url } = await serve(openOptions(pubsub))
    const client = await RawClient.open(url)
    const names = ['__proto__', 'constructor', 'a\0b', "'; drop table x --", 'x'.repeat(1000), '💥']
    for (const name of names) {
      await client.subscribe(name)
      await pubsub.channel(name).publish(name)
    }
    await client.wait('msg', names.length)
    expect(client.ofType('msg').map(({ ch, data }) => [ch, data])).toEqual(
      names.map((name) => [name, name]),
    )
  })
})

describe('signs of life', () => {
  test('are asked for, and who gives none is cut', async () => {
    const { port, gateway } = await serve({ ...openOptions(bench.pubSub()), heartbeat: '100ms' })
    await using proxy = await startProxy({ host: '127.0.0.1', port })
    const dead = await RawClient.open(`ws://127.0.0.1:${proxy.port}/realtime`)
    const alive = await RawClient.open(`ws://127.0.0.1:${port}/realtime`)
    await dead.subscribe('x')
    await alive.subscribe('x')
    let pings = 0
    alive.ws.on('ping', () => pings++)
    proxy.freeze()
    await expect.poll(() => gateway.stats().clients).toBe(1)
    await expect.poll(() => pings).toBeGreaterThan(5)
    expect(alive.closed).toBeUndefined()
    expect(gateway.stats().subscriptions).toBe(1)
  })

  test('answer a client that asks', async () => {
    const { url } = await serve(openOptions(bench.pubSub()))
    const client = await RawClient.open(url)
    client.send({ t: 'ping' })
    expect(await client.wait('pong')).toEqual({ t: 'pong' })
  })
})

describe('a client that does not read', () => {
  const big = 'x'.repeat(100_000)

  test('gets a stream complete later, and takes no memory meanwhile', async () => {
    const pubsub = bench.pubSub()
    const name = STREAM + bench.fresh()
    const stream = pubsub.stream<string>(name)
    const { url, gateway } = await serve(openOptions(pubsub))
    const [slow, quick] = await Promise.all([RawClient.open(url), RawClient.open(url)])
    await slow.subscribe(name)
    await quick.subscribe(name)
    slow.ws.pause()
    for (let n = 0; n < 40; n++) {
      await stream.appendMany(
        Array.from({ length: 8 }, (_, i) => ({ payload: `${n * 8 + i}${big}` })),
      )
    }
    await quick.wait('msg', 320)
    expect(gateway.stats().slow).toBe(1)
    const sent = gateway.stats().bytes
    expect(sent).toBeLessThan(320 * 100_000 * 1.6)
    slow.ws.resume()
    await slow.wait('msg', 320)
    const numbers = slow.ofType('msg').map(({ data }) => Number.parseInt(String(data), 10))
    expect(numbers).toEqual(Array.from({ length: 320 }, (_, n) => n))
    expect(slow.ofType('msg').map(({ prev }) => prev)).toEqual(numbers)
    expect(gateway.stats().dropped).toBe(0)
  })

  test('is read for no further than its socket takes', async () => {
    let read = 0
    const source = {
      async *batches(): AsyncGenerator<Batch> {
        for (; read < 3000; read++) {
          const message = { offset: read + 1, position: `1:${read + 1}`, payload: big, at: 0 }
          const messages = [{ ...message, key: undefined, headers: undefined }]
          yield { messages, continuity: 'ok', validUntil: 0, lost: 0, next: '', head: 0 }
        }
      },
    }
    const { url, gateway } = await serve({ ...openOptions(bench.pubSub()), resolve: () => source })
    const [slow, other] = await Promise.all([RawClient.open(url), RawClient.open(url)])
    slow.send({ t: 'sub', id: 1, ch: 'x' })
    slow.ws.pause()
    await expect.poll(() => gateway.stats().slow).toBe(1)
    const before = read
    for (let n = 1; n <= 20; n++) {
      other.send({ t: 'ping' })
      await other.wait('pong', n)
    }
    // What the kernel takes on the way is all that may come on top.
    expect(read).toBeLessThan(before + 30)
    expect(read).toBeLessThan(1000)
    slow.ws.terminate()
    await expect.poll(() => gateway.stats().subscriptions).toBe(0)
  })

  test('misses messages of channels, and is told how many before the next', async () => {
    const pubsub = bench.pubSub()
    const name = bench.fresh()
    const { url, gateway } = await serve(openOptions(pubsub))
    const [slow, quick] = await Promise.all([RawClient.open(url), RawClient.open(url)])
    await slow.subscribe(name)
    await quick.subscribe(name)
    slow.ws.pause()
    const channel = pubsub.channel<string>(name)
    const count = 200
    for (let n = 0; n < count; n++) await channel.publish(`${n}:${big}`)
    await quick.wait('msg', count)
    expect(quick.ofType('gap')).toEqual([])
    const { dropped } = gateway.stats()
    expect(dropped).toBeGreaterThan(0)
    slow.ws.resume()
    await slow.wait('gap')
    await channel.publish('last')
    await expect.poll(() => slow.ofType('msg').at(-1)?.['data']).toBe('last')
    const missed = slow.ofType('gap').reduce((sum, gap) => sum + Number(gap['missed']), 0)
    expect(missed).toBe(gateway.stats().dropped)
    expect(slow.ofType('msg')).toHaveLength(count + 1 - missed)
    let expected = 0
    for (const frame of slow.frames) {
      if (frame.t === 'gap') expected += Number(frame['missed'])
      if (frame.t !== 'msg' || frame['data'] === 'last') continue
      expect(Number.parseInt(String(frame['data']), 10)).toBe(expected++)
    }
  })

  test('is closed where that was asked for', async () => {
    const pubsub = bench.pubSub()
    const name = bench.fresh()
    const { url, gateway } = await serve({ ...openOptions(pubsub), slowClients: 'close' })
    const [slow, quick] = await Promise.all([RawClient.open(url), RawClient.open(url)])
    await slow.subscribe(name)
    await quick.subscribe(name)
    slow.ws.pause()
    for (let n = 0; n < 200; n++) await pubsub.channel(name).publish(big)
    await quick.wait('msg', 200)
    await expect.poll(() => gateway.stats().clients).toBe(1)
  })
})

describe('compression', () => {
  test('takes messages above its size, once for all, and leaves others alone', async () => {
    const pubsub = bench.pubSub()
    const names = [bench.fresh(), STREAM + bench.fresh()]
    const { url, gateway } = await serve({ ...openOptions(pubsub), compress: { above: 1024 } })
    const clients = await Promise.all(
      [true, true, false].map((perMessageDeflate) => RawClient.open(url, { perMessageDeflate })),
    )
    for (const client of clients) for (const ch of names) await client.subscribe(ch)
    const message = { text: 'a long story, told again and again. '.repeat(3000) }
    await pubsub.channel(names[0] as string).publish(message)
    await pubsub.stream(names[1] as string).append(message)
    await pubsub.stream(names[1] as string).append('short')
    for (const client of clients) {
      await client.wait('msg', 3)
      expect(client.ofType('msg').filter(({ data }) => data !== 'short')).toMatchObject([
        { data: message },
        { data: message },
      ])
    }
    const { bytes } = gateway.stats()
    expect(bytes).toBeGreaterThan(2 * 108_000)
    expect(bytes).toBeLessThan(2 * 108_000 + 20_000)
    // And what clients compress is read.
    clients[0]?.send({ t: 'pub', id: 1, ch: names[0], data: message.text.slice(0, 5000) })
    await clients[1]?.wait('msg', 4)
    clients[0]?.send({ t: 'pub', id: 2, ch: names[0], data: message })
    expect(await clients[0]?.waitClosed()).toMatchObject({ code: 1009 })
  })
})

describe('drain()', () => {
  test('lets nobody in, tells each client a time of its own, and closes who stays', async () => {
    const { url, gateway } = await serve(openOptions(bench.pubSub()))
    const clients = await Promise.all(Array.from({ length: 20 }, () => RawClient.open(url)))
    const drained = gateway.drain({ within: '200ms' })
    const late = new RawClient(url)
    await expect.poll(() => late.closed).toBeDefined()
    const times = await Promise.all(
      clients.map(async (client) => (await client.wait('going'))['in']),
    )
    expect(new Set(times).size).toBeGreaterThan(5)
    expect(times.every((ms) => Number(ms) >= 0 && Number(ms) <= 200)).toBe(true)
    for (const client of clients.slice(0, 10)) client.ws.close()
    await drained
    for (const client of clients.slice(10)) {
      expect(await client.waitClosed()).toMatchObject({ code: 1012 })
    }
    expect(gateway.stats().clients).toBe(0)
  })
})
