import { createServer } from 'node:http'
import { EventSource } from 'eventsource'
import express from 'express'
import { fastify } from 'fastify'
import { afterEach, describe, expect, test } from 'vitest'
import { SseGateway } from '../src/adapters/sse.js'
import { type Ctx, closeAll, closeLater, listen, openOptions, STREAM } from './gateway-support.js'
import { TwoProcesses } from './two-processes.js'

const bench = new TwoProcesses()
const sources: EventSource[] = []
afterEach(async () => {
  for (const source of sources.splice(0)) source.close()
  await closeAll()
})

/** Hears everything, by type of event. */
class Page {
  readonly source: EventSource
  readonly heard: { readonly type: string; readonly data: unknown }[] = []

  constructor(url: string) {
    this.source = new EventSource(url)
    sources.push(this.source)
    for (const type of ['message', 'subd', 'gap', 'refused']) {
      this.source.addEventListener(type, ({ data }) => {
        this.heard.push({ type, data: JSON.parse(String(data)) })
      })
    }
  }

  messages(): unknown[] {
    return this.heard
      .filter(({ type }) => type === 'message')
      .map(({ data }) => (data as { data: unknown }).data)
  }

  async wait(type: string, count = 1): Promise<unknown> {
    const ofType = () => this.heard.filter((one) => one.type === type)
    await expect.poll(() => ofType().length).toBeGreaterThanOrEqual(count)
    return ofType()[count - 1]?.data
  }
}

function gateway(process: 0 | 1 = 0): SseGateway<Ctx> {
  return closeLater(new SseGateway(openOptions(bench.pubSub(process))))
}

async function serve(on: SseGateway<Ctx> = gateway()): Promise<string> {
  const port = await listen(createServer((request, response) => on.handle(request, response)))
  return `http://127.0.0.1:${port}/`
}

describe('a plain EventSource', () => {
  test('resumes streams and hears of gaps in channels, after any cut', async () => {
    const names = [STREAM + bench.fresh(), STREAM + bench.fresh(), bench.fresh()]
    const [one, two, channel] = names as [string, string, string]
    const pubsub = bench.pubSub()
    let current = gateway(0)
    const port = await listen(createServer((req, res) => current.handle(req, res)))
    const page = new Page(`http://127.0.0.1:${port}/?${names.map((ch) => `ch=${ch}`).join('&')}`)
    await page.wait('subd', 3)
    await pubsub.stream(one).append('a1')
    await pubsub.stream(two).append('b1')
    await pubsub.channel(channel).publish('c1')
    await page.wait('message', 3)
    for (let round = 2; round < 5; round++) {
      const before = current
      current = gateway((round % 2) as 0 | 1)
      await before.close()
      await pubsub.stream(one).append(`a${round}`)
      await pubsub.stream(two).append(`b${round}`)
      await page.wait('gap', round - 1)
      await page.wait('message', 3 + 2 * (round - 1))
    }
    const heard = page.messages() as string[]
    expect(heard.filter((text) => text.startsWith('a'))).toEqual(['a1', 'a2', 'a3', 'a4'])
    expect(heard.filter((text) => text.startsWith('b'))).toEqual(['b1', 'b2', 'b3', 'b4'])
  })

  test('resumes behind messages that its filter passed over', async () => {
    const name = STREAM + bench.fresh()
    const stream = bench.pubSub().stream<{ n: number }>(name)
    const url = await serve()
    const filter = encodeURIComponent(JSON.stringify({ [name]: { n: { gte: 990 } } }))
    const asked = `${url}?ch=${name}&after=earliest&filter=${filter}`
    const abort = new AbortController()
    const response = await fetch(asked, { signal: abort.signal })
    await stream.appendMany(Array.from({ length: 980 }, (_, n) => ({ payload: { n } })))
    let text = ''
    for await (const chunk of response.body ?? []) {
      text += Buffer.from(chunk as Uint8Array).toString()
      if (/id: \S+\.1:\d{3}\n/.test(text)) break
    }
    expect(text).not.toContain('data: {"t":"msg"')
    const id = [...text.matchAll(/^id: (.*)$/gm)].at(-1)?.[1] as string
    await stream.appendMany(Array.from({ length: 20 }, (_, n) => ({ payload: { n: 980 + n } })))
    const page = new Page(`${asked.replace('after=earliest', `after=${id}`)}`)
    expect(await page.wait('subd')).toMatchObject({ state: 'recovered', off: id.split('.')[1] })
    await page.wait('message', 10)
    expect(page.messages()).toHaveLength(10)
  })
})

describe('handle()', () => {
  test('works in Express and Fastify', async () => {
    const name = bench.fresh()
    const app = express()
    const inExpress = gateway()
    app.get('/events', (req, res) => inExpress.handle(req, res))
    const port = await listen(createServer(app))
    const inFastify = gateway()
    const server = fastify()
    server.get('/events', (request, reply) => {
      reply.hijack()
      inFastify.handle(request.raw, reply.raw)
    })
    const address = await server.listen({ port: 0, host: '127.0.0.1' })
    const pages = [
      new Page(`http://127.0.0.1:${port}/events?ch=${name}`),
      new Page(`${address}/events?ch=${name}`),
    ]
    for (const page of pages) await page.wait('subd')
    await bench.pubSub().channel(name).publish({ hello: '\r\n\r\ndata: x' })
    for (const page of pages) {
      await page.wait('message')
      expect(page.messages()).toEqual([{ hello: '\r\n\r\ndata: x' }])
      page.source.close()
    }
    await inFastify.close()
    await server.close()
  })

  test('answers what it does not take', async () => {
    const url = await serve()
    const status = async (query: string, init?: RequestInit) => {
      const response = await fetch(url + query, init)
      await response.text()
      return response.status
    }
    expect(await status('')).toBe(400)
    expect(await status('?ch=')).toBe(400)
    expect(await status('?ch=x&filter=nonsense')).toBe(400)
    expect(await status('?ch=x&after=..')).toBe(400)
    expect(await status('?ch=x', { headers: { 'Last-Event-ID': 'other.1:2' } })).toBe(400)
    expect(await status('?ch=x', { method: 'POST' })).toBe(405)
    expect(await status('?ch=x', { headers: { Origin: 'https://evil.example' } })).toBe(403)
    const many = Array.from({ length: 101 }, (_, n) => `ch=${n}`).join('&')
    expect(await status(`?${many}`)).toBe(400)
  })

  test('lets pages of allowed origins read, and says what is refused', async () => {
    const pubsub = bench.pubSub()
    const refusing = closeLater(
      new SseGateway({
        ...openOptions(pubsub),
        origins: ['https://app.example'],
        authorize: () => false,
      }),
    )
    const url = await serve(refusing)
    const response = await fetch(`${url}?ch=secret`, { headers: { Origin: 'https://app.example' } })
    expect(response.headers.get('access-control-allow-origin')).toBe('https://app.example')
    expect(response.headers.get('cache-control')).toContain('no-transform')
    await response.body?.cancel()
    const page = new Page(`${url}?ch=secret`)
    expect(await page.wait('refused')).toMatchObject({ code: 'PUBSUB_FORBIDDEN', ch: 'secret' })
  })
})

describe('a client that does not read', () => {
  test('gets a stream complete later, and is told what it missed of a channel', async () => {
    const [name, channel] = [STREAM + bench.fresh(), bench.fresh()]
    const pubsub = bench.pubSub()
    const on = gateway()
    const url = await serve(on)
    const abort = new AbortController()
    const response = await fetch(`${url}?ch=${name}&ch=${channel}`, { signal: abort.signal })
    const chunks = response.body?.[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>
    let text = ''
    const readUntil = async (end: (text: string) => boolean) => {
      while (!end(text)) text += Buffer.from((await chunks.next()).value).toString()
    }
    await readUntil((so) => so.split('event: subd').length === 3)
    const big = 'x'.repeat(100_000)
    for (let n = 0; n < 150; n++) {
      await pubsub.stream(name).append(`${n} ${big}`)
      await pubsub.channel(channel).publish(`${n} ${big}`)
    }
    await expect.poll(() => on.stats().dropped).toBeGreaterThan(0)
    await readUntil((so) => so.includes(`"data":"149 `) && so.includes('event: gap'))
    const events = text.split('\n\n').flatMap((event) => /^data: (.*)$/m.exec(event)?.[1] ?? [])
    const frames = events.slice(0, -1).map((data) => JSON.parse(data))
    const streamed = frames.filter(({ t, ch }) => t === 'msg' && ch === name)
    expect(streamed.map(({ prev }) => prev)).toEqual(streamed.map((_, n) => n))
    const missed = frames.filter(({ t }) => t === 'gap').map((frame) => frame.missed)
    expect(missed.reduce((sum, one) => sum + one, 0)).toBe(on.stats().dropped)
    abort.abort()
    await expect.poll(() => on.stats().clients).toBe(0)
  })
})

describe('drain()', () => {
  test('sends everybody elsewhere and loses nothing', async () => {
    const name = STREAM + bench.fresh()
    const stream = bench.pubSub().stream<number>(name)
    let current = gateway(0)
    const port = await listen(createServer((req, res) => current.handle(req, res)))
    const pages = Array.from(
      { length: 5 },
      () => new Page(`http://127.0.0.1:${port}/?ch=${name}&after=earliest`),
    )
    for (const page of pages) await page.wait('subd')
    const before = current
    current = gateway(1)
    const drained = before.drain({ within: '300ms' })
    for (let n = 0; n < 50; n++) await stream.append(n)
    await drained
    expect(before.stats().clients).toBe(0)
    for (const page of pages) {
      await page.wait('message', 50)
      expect(page.messages()).toEqual(Array.from({ length: 50 }, (_, n) => n))
    }
  })
})
