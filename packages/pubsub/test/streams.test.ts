import { Database, isHowdahError } from '@howdah/core'
import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import type { StreamMessage } from '../src/index.js'
import { payloads, TwoProcesses } from './two-processes.js'

const bench = new TwoProcesses()

describe('append() and read()', () => {
  test('give dense offsets in the order of the calls', async () => {
    const stream = bench.pubSub(0).stream<number>(bench.fresh())
    const numbers = Array.from({ length: 300 }, (_, n) => n)
    await Promise.all(numbers.map((n) => stream.append(n)))
    const { messages, head, next, continuity } = await stream.read()
    expect(payloads(messages)).toEqual(numbers)
    expect(messages.map(({ offset }) => offset)).toEqual(numbers.map((n) => n + 1))
    expect({ head, next, continuity }).toEqual({ head: 300, next: '1:300', continuity: 'ok' })
  })

  test('read what another process has appended, at once and from any place', async () => {
    const name = bench.fresh()
    const writer = bench.pubSub(0).stream<string>(name)
    const reader = bench.pubSub(1).stream<string>(name)
    await writer.appendMany(['a', 'b', 'c', 'd'].map((payload) => ({ payload })))
    expect(payloads((await reader.read({ after: '1:2' })).messages)).toEqual(['c', 'd'])
    expect(payloads((await reader.read({ after: 1, limit: 2 })).messages)).toEqual(['b', 'c'])
    expect((await reader.read({ after: 'latest' })).messages).toEqual([])
    expect(await reader.head()).toBe('1:4')
    await writer.append('e')
    expect(payloads((await reader.read({ after: 4 })).messages)).toEqual(['e'])
  })

  test('keep keys, headers and times', async () => {
    const stream = bench.pubSub().stream(bench.fresh())
    const before = Date.now()
    await stream.append({ n: 1 }, { key: 'order/1', headers: { trace: 'x', __proto__x: 'y' } })
    await stream.append({ n: 2 })
    const { messages } = await stream.read()
    expect(messages).toMatchObject([
      { key: 'order/1', headers: { trace: 'x', __proto__x: 'y' }, position: '1:1' },
      { key: undefined, headers: undefined, position: '1:2' },
    ])
    expect(messages[0]?.at).toBeGreaterThan(before - 60_000)
  })

  test('join a transaction, and are gone when it rolls back', async () => {
    const name = bench.fresh()
    const stream = bench.pubSub(0).stream<string>(name)
    const db = Database.from(bench.pools[0])
    await db.transaction((client) => stream.append('ours', { client }))
    await db
      .transaction(async (client) => {
        await stream.append('never', { client })
        throw new Error('no')
      })
      .catch(() => {})
    const client = await bench.pools[1].connect()
    await client.query('begin')
    await stream.append('foreign', { client })
    expect(payloads((await stream.read()).messages)).toEqual(['ours'])
    await client.query('commit')
    client.release()
    expect(payloads((await stream.read()).messages)).toEqual(['ours', 'foreign'])
  })

  test('are a function for triggers and psql', async () => {
    const name = bench.fresh()
    await bench.rows('select howdah.append($1, $2)', [name, '{"by":"sql"}'])
    const stream = bench.pubSub().stream(name)
    expect(payloads((await stream.read()).messages)).toEqual([{ by: 'sql' }])
    await expect(bench.rows(`select howdah.append('', '1')`)).rejects.toMatchObject({
      code: '22023',
    })
  })

  test('append once what has a dedupKey, and answer the first id', async () => {
    const stream = bench.pubSub().stream<number>(bench.fresh())
    const all = await Promise.all(
      Array.from({ length: 20 }, (_, n) => stream.append(n, { dedupKey: 'once' })),
    )
    expect(all.filter(({ duplicate }) => !duplicate)).toHaveLength(1)
    expect(new Set(all.map(({ id }) => id)).size).toBe(1)
    const many = await stream.appendMany([
      { payload: 1, dedupKey: 'once' },
      { payload: 2, dedupKey: 'other' },
      { payload: 3 },
      { payload: 4, dedupKey: 'other' },
    ])
    expect(many.map(({ duplicate }) => duplicate)).toEqual([true, false, false, true])
    expect(many[3]?.id).toBe(many[1]?.id)
    expect(payloads((await stream.read()).messages).slice(1)).toEqual([2, 3])
  })

  test('hold appends with an expectedOffset against each other', async () => {
    const stream = bench.pubSub(0).stream<number>(bench.fresh())
    const other = bench.pubSub(1).stream<number>(stream.name)
    await stream.append(0)
    for (let round = 1; round <= 10; round++) {
      const tries = [stream, other, stream, other].map((each, n) =>
        each.append(round * 10 + n, { expectedOffset: round }).then(
          () => 'ok',
          (error) => error.code,
        ),
      )
      expect((await Promise.all(tries)).sort()).toEqual([
        'PUBSUB_CONFLICT',
        'PUBSUB_CONFLICT',
        'PUBSUB_CONFLICT',
        'ok',
      ])
    }
    expect((await stream.read()).head).toBe(11)
  })

  test('leave a transaction usable after a conflict', async () => {
    const stream = bench.pubSub().stream<number>(bench.fresh())
    const db = Database.from(bench.pools[0])
    await db.transaction(async (client) => {
      await expect(stream.append(1, { client, expectedOffset: 3 })).rejects.toMatchObject({
        code: 'PUBSUB_CONFLICT',
      })
      await stream.append(2, { client, expectedOffset: 0 })
      await stream.append(3, { client, expectedOffset: 1 })
    })
    expect(payloads((await stream.read()).messages)).toEqual([2, 3])
  })

  test('refuse what cannot be kept, with a code', async () => {
    const pubsub = bench.pubSub()
    const stream = pubsub.stream(bench.fresh(), { maxPayloadBytes: 100 })
    const strict = pubsub.stream(bench.fresh(), { schema: z.object({ id: z.number() }) })
    const failures = [
      stream.append(undefined),
      stream.append('x'.repeat(200)),
      stream.append(1, { key: 'a\0b' }),
      stream.append(1, { key: '' }),
      stream.append(1, { dedupKey: '\ud800' }),
      stream.append(1, { headers: { a: 1 } as never }),
      stream.append(1, { expectedOffset: -1 }),
      stream.read({ after: 'nowhere' }),
      stream.read({ after: -1 }),
      stream.read({ limit: 0 }),
      strict.append({ id: 'x' } as never),
    ]
    const codes = (await Promise.allSettled(failures)).map((each) =>
      each.status === 'rejected' && isHowdahError(each.reason) ? each.reason.code : 'none',
    )
    expect(codes).toEqual([
      'PUBSUB_INVALID_MESSAGE',
      'PUBSUB_MESSAGE_TOO_LARGE',
      ...Array(8).fill('PUBSUB_INVALID_OPTION'),
      'PUBSUB_INVALID_MESSAGE',
    ])
    expect((await stream.read()).messages).toEqual([])
    for (const name of ['', 'a\0', '\ud800', 'x'.repeat(501)]) {
      expect(() => pubsub.stream(name)).toThrowError(/name/)
    }
  })

  test('keep hostile payloads as they are', async () => {
    const stream = bench.pubSub().stream(bench.fresh())
    const hostile = [
      JSON.parse('{"__proto__":{"polluted":true}}'),
      'a\0b\x1ec',
      '\ud800',
      "'; drop table howdah.stream --",
      [[[[]]]],
      null,
      '',
      1e308,
    ]
    await stream.appendMany(hostile.map((payload) => ({ payload })))
    const read = payloads((await stream.read()).messages)
    expect(JSON.stringify(read)).toBe(JSON.stringify(hostile))
    expect(({} as { polluted?: true }).polluted).toBeUndefined()
  })
})

describe('subscribe()', () => {
  test('hears every message once and in order, from where it began', async () => {
    const name = bench.fresh()
    const writer = bench.pubSub(0).stream<number>(name)
    await writer.append(0)
    const reader = bench.pubSub(1).stream<number>(name)
    const heard: number[][] = [[], []]
    await reader.subscribe(({ payload }) => heard[0]?.push(payload))
    await reader.subscribe(({ payload }) => heard[1]?.push(payload), { after: 'earliest' })
    const numbers = Array.from({ length: 200 }, (_, n) => n + 1)
    for (const n of numbers) await writer.append(n)
    await expect.poll(() => heard.map((each) => each.length)).toEqual([200, 201])
    expect(heard).toEqual([numbers, [0, ...numbers]])
  })

  test('hears what was appended in SQL, of which nobody tells', async () => {
    const stream = bench.pubSub().stream(bench.fresh())
    const heard: unknown[] = []
    await stream.subscribe(({ payload }) => heard.push(payload))
    await bench.rows('select howdah.append($1, $2)', [stream.name, '7'])
    await expect.poll(() => heard).toEqual([7])
  })

  test('goes on from its position', async () => {
    const stream = bench.pubSub().stream<number>(bench.fresh())
    const heard: number[] = []
    const first = await stream.subscribe((message) => heard.push(message.payload))
    await stream.append(1)
    await expect.poll(() => heard).toEqual([1])
    await first.close()
    await first.ended
    await stream.append(2)
    await stream.subscribe((message) => heard.push(message.payload), { after: first.position })
    await expect.poll(() => heard).toEqual([1, 2])
  })

  test('ends with what its handler throws, at the message before', async () => {
    const stream = bench.pubSub().stream<number>(bench.fresh())
    await stream.appendMany([{ payload: 1 }, { payload: 2 }])
    const failing = (message: StreamMessage<number>) => {
      if (message.payload === 2) throw new Error('no')
    }
    const subscription = await stream.subscribe(failing, { after: 'earliest' })
    await expect(subscription.ended).rejects.toThrow('no')
    expect(subscription.position).toBe('1:1')
  })

  test('ends with close(), its signal, and the PubSub', async () => {
    const pubsub = bench.pubSub()
    const stream = pubsub.stream<number>(bench.fresh())
    const abort = new AbortController()
    const one = await stream.subscribe(() => {}, { signal: abort.signal })
    abort.abort()
    await one.ended
    const two = await stream.subscribe(() => {})
    const loop = (async () => {
      for await (const _ of stream.messages()) throw new Error('nothing comes')
    })()
    await pubsub.close()
    await two.ended
    await loop
    await expect(stream.append(1)).rejects.toMatchObject({ code: 'PUBSUB_CLOSED' })
  })
})
