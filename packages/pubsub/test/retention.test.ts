import { describe, expect, test } from 'vitest'
import { payloads, TwoProcesses } from './two-processes.js'

const bench = new TwoProcesses()

async function trim(): Promise<void> {
  for (let more = true; more; ) {
    more =
      (await bench.rows<{ more: boolean }>('select howdah.stream_trim() as more'))[0]?.more === true
  }
}

/** Appends in several ticks, for what goes is whole ticks. */
async function fill(
  stream: { append(n: number): Promise<unknown>; read(): Promise<unknown> },
  upTo: number,
) {
  for (let n = 1; n <= upTo; n++) {
    await stream.append(n)
    await stream.read()
  }
}

describe('retention', () => {
  test('keeps the newest messages, and tells who comes too late', async () => {
    const name = bench.fresh()
    await fill(bench.pubSub(0).stream(name, { retention: { maxMessages: 5 } }), 20)
    await trim()
    // The process that read them may still have them in memory.
    const stream = bench.pubSub(1).stream<number>(name)
    const late = await stream.read({ after: '1:3' })
    expect(late).toMatchObject({ continuity: 'truncated', validUntil: 3, lost: 12, head: 20 })
    expect(payloads(late.messages)).toEqual([16, 17, 18, 19, 20])
    expect(await stream.read({ after: '1:15' })).toMatchObject({ continuity: 'ok', lost: 0 })
    expect(payloads((await stream.read()).messages)).toEqual([16, 17, 18, 19, 20])
    await expect(async () => {
      for await (const _ of stream.messages({ after: 3 })) break
    }).rejects.toMatchObject({ code: 'PUBSUB_TRUNCATED' })
    const heard: unknown[] = []
    await stream.subscribe(({ payload }) => heard.push(payload), {
      after: 3,
      onDiscontinuity: (place) => void heard.push(place),
    })
    await expect
      .poll(() => heard)
      .toEqual([{ continuity: 'truncated', validUntil: 3, lost: 12 }, 16, 17, 18, 19, 20])
  })

  test('goes by age, and goes on with its offsets when nothing is left', async () => {
    const stream = bench.pubSub().stream<number>(bench.fresh(), { retention: { maxAge: '1h' } })
    await fill(stream, 4)
    await trim()
    expect((await stream.read()).messages).toHaveLength(4)
    await bench.rows(`update howdah.stream_segment set at = at - interval '2 hours'`)
    await trim()
    expect(await stream.read()).toMatchObject({ messages: [], head: 4, continuity: 'ok' })
    expect(await stream.read({ after: 1 })).toMatchObject({ continuity: 'truncated', lost: 3 })
    await stream.append(5)
    expect((await stream.read()).messages).toMatchObject([{ offset: 5, payload: 5 }])
  })

  test('goes by stored bytes, and counts them', async () => {
    const pubsub = bench.pubSub()
    const stream = pubsub.stream<number>(bench.fresh(), { retention: { maxBytes: 100 } })
    await fill(stream, 60)
    const before = (await pubsub.stats()).streams.find(({ name }) => name === stream.name)
    await trim()
    const after = (await pubsub.stats()).streams.find(({ name }) => name === stream.name)
    expect(before?.bytes).toBeGreaterThan(150)
    expect(after?.bytes).toBeGreaterThanOrEqual(100)
    expect(after?.bytes).toBeLessThan(120)
    expect(after?.messages).toBe((await stream.read()).messages.length)
    const rows = await bench.rows(
      'select 1 from howdah.stream_log where stream = (select id from howdah.stream where name = $1)',
      [stream.name],
    )
    expect(rows).toHaveLength(after?.messages ?? -1)
  })

  test('is shared by all, stays when it is not given, and ends with null', async () => {
    const name = bench.fresh()
    await bench
      .pubSub(0)
      .stream(name, { retention: { maxMessages: 1 } })
      .append(1)
    const stream = bench.pubSub(1).stream<number>(name)
    await fill(stream, 5)
    await trim()
    expect((await stream.read()).messages).toHaveLength(1)
    await bench.pubSub(0).stream(name, { retention: null }).append(7)
    await fill(stream, 3)
    await trim()
    expect((await stream.read()).messages).toHaveLength(5)
  })

  test('of a stream that groups read tells them what they missed', async () => {
    const name = bench.fresh()
    const filled = bench.pubSub(0).stream<number>(name, { retention: { maxMessages: 2 } })
    const pubsub = bench.pubSub(1)
    const stream = pubsub.stream<number>(name)
    const told: unknown[] = []
    const onDiscontinuity = (place: unknown) => void told.push(place)
    const groups = [
      stream.group('ordered', {
        mode: 'ordered',
        start: 'earliest',
        partitions: 1,
        onDiscontinuity,
      }),
      stream.group('shared', { mode: 'shared', start: 'earliest', onDiscontinuity }),
    ] as const
    for (const group of groups) await group.deadLetters()
    await fill(filled, 10)
    await trim()
    const heard: number[][] = [[], []]
    await groups[0].consume(({ payload }) => heard[0]?.push(payload))
    await groups[1].consume(({ payload }) => heard[1]?.push(payload))
    await expect
      .poll(() => heard)
      .toEqual([
        [9, 10],
        [9, 10],
      ])
    expect(told).toMatchObject([{ continuity: 'truncated', lost: 8 }, { lost: 8 }])
    const { groups: stats } = await pubsub.stats()
    expect(stats.filter((group) => group.stream === stream.name)).toMatchObject([
      { name: 'ordered', mode: 'ordered', dead: 0, members: 1 },
      { name: 'shared', mode: 'shared', lag: 0, dead: 0 },
    ])
  })

  test('of drop() is nothing, and a stream of the same name is a new one', async () => {
    const stream = bench.pubSub().stream<number>(bench.fresh())
    await fill(stream, 3)
    const subscription = await stream.subscribe(() => {})
    await stream.drop()
    await expect(subscription.ended).rejects.toMatchObject({ code: 'PUBSUB_NOT_FOUND' })
    await stream.append(9)
    expect((await stream.read()).messages).toMatchObject([{ offset: 1, payload: 9 }])
  })

  test('of drop() is told to who appends to it elsewhere, once, and nothing is lost without a word', async () => {
    const name = bench.fresh()
    const [one, other, again] = [0, 1, 1].map((n) => bench.pubSub(n as 0 | 1).stream<number>(name))
    for (const each of [one, other, again]) await each?.append(1)
    await one?.drop()
    const gone = { code: 'PUBSUB_NOT_FOUND' }
    await expect(other?.append(2)).rejects.toMatchObject(gone)
    await expect(
      again?.appendMany([{ payload: 3, key: 'k' }, { payload: 4 }]),
    ).rejects.toMatchObject(gone)
    await again?.append(5)
    await other?.append(6, { dedupKey: 'six' })
    expect(payloads((await (other as NonNullable<typeof other>).read()).messages)).toEqual([5, 6])
    await again?.drop()
    await expect(other?.append(7, { dedupKey: 'seven' })).rejects.toMatchObject(gone)
  })
})
