import { describe, expect, test } from 'vitest'
import type { Stream } from '../src/index.js'
import { deferred, TwoProcesses } from './two-processes.js'

const bench = new TwoProcesses()

async function filled(count: number, keys = 20): Promise<Stream<number>> {
  const stream = bench.pubSub(0).stream<number>(bench.fresh())
  await stream.appendMany(
    Array.from({ length: count }, (_, n) => ({ payload: n, key: `key-${n % keys}` })),
  )
  return stream
}

function numbers(count: number): number[] {
  return Array.from({ length: count }, (_, n) => n)
}

describe('an ordered group', () => {
  test('does the messages of each key in order, and each once, over two processes', async () => {
    const stream = await filled(300)
    const other = bench.pubSub(1).stream<number>(stream.name)
    await bench.rows('create table done (n integer, member text, at serial)')
    const options = { mode: 'ordered', start: 'earliest', lease: '1s' } as const
    const members = [stream, other].map((each, member) =>
      each.group('g', options).consume(async ({ payload }, { tx }) => {
        await tx.query('insert into done (n, member) values ($1, $2)', [payload, String(member)])
      }),
    )
    await Promise.all(members)
    const count = async () => (await bench.rows('select 1 from done')).length
    await expect.poll(count).toBe(300)
    await expect
      .poll(async () => {
        await stream.append(0, { key: 'more' })
        for (const n of numbers(40)) await stream.append(n, { key: `key-${n % 20}` })
        return (await bench.rows('select distinct member from done')).length
      })
      .toBe(2)
    const rows = await bench.rows<{ n: number }>('select n from done order by at limit 300')
    for (const k of numbers(20)) {
      const own = rows.map(({ n }) => n).filter((n) => n % 20 === k)
      expect(own).toEqual(numbers(300).filter((n) => n % 20 === k))
    }
  })

  test('takes effect once though a member believes it owns what another has taken', async () => {
    const stream = await filled(1)
    const group = bench.pubSub(1).stream<number>(stream.name).group('fence', {
      mode: 'ordered',
      start: 'earliest',
      partitions: 1,
      lease: '1s',
    })
    await bench.rows('create table effect (n integer)')
    let tries = 0
    const { promise: seized, resolve: seize } = deferred()
    await group.consume(async ({ payload }, { tx }) => {
      await tx.query('insert into effect values ($1)', [payload])
      if (++tries > 1) return
      // Another member takes the partition while this one is at work.
      await bench.rows(
        `update howdah.stream_partition set fence = fence + 1, owner = 'other', until = now() + interval '1 s'`,
      )
      await bench.rows('insert into effect values (100)')
      await bench.rows('update howdah.stream_partition set cursor = 1')
      seize()
    })
    await seized
    await stream.append(7, { key: 'key-0' })
    await expect
      .poll(async () =>
        (await bench.rows<{ n: number }>('select n from effect order by n')).map(({ n }) => n),
      )
      .toEqual([7, 100])
  })

  test('holds its key up until a failing message is a dead letter, and no other key', async () => {
    const stream = bench.pubSub().stream<string>(bench.fresh())
    const group = stream.group('g', {
      mode: 'ordered',
      start: 'earliest',
      partitions: 16,
      maxAttempts: 3,
      backoff: 1,
    })
    const done: string[] = []
    const attempts: number[] = []
    const seen: unknown[] = []
    await stream.appendMany([
      { payload: 'bad', key: 'a' },
      { payload: 'after bad', key: 'a' },
      { payload: 'other', key: 'b' },
    ])
    await group.consume(({ payload }, { attempt }) => {
      if (payload === 'bad') {
        attempts.push(attempt)
        throw new Error('cannot\0 do')
      }
      done.push(payload)
    })
    await expect.poll(() => done.toSorted()).toEqual(['after bad', 'other'])
    expect(attempts).toEqual([1, 2, 3])
    const dead = await group.deadLetters()
    expect(dead).toMatchObject([{ offset: 1, payload: 'bad', key: 'a', attempts: 3 }])
    expect(dead[0]?.error).toContain('cannot\\0 do')
    await expect(group.redrive()).rejects.toMatchObject({ code: 'PUBSUB_INVALID_OPTION' })
    expect(await group.forget([1])).toBe(1)
    expect(await group.deadLetters()).toEqual(seen)
  })

  test('shares a transaction among messages, and repeats those before one that fails alone', async () => {
    const stream = await filled(20, 1)
    const group = stream.group('g', { mode: 'ordered', start: 'earliest', backoff: 1 })
    await bench.rows('create table many (n integer, at serial)')
    let failed = 0
    await group.consume(
      async ({ payload }, { tx }) => {
        await tx.query('insert into many (n) values ($1)', [payload])
        if (payload === 7 && failed++ < 2) throw new Error('not yet')
      },
      { transactionSize: 10 },
    )
    await expect
      .poll(async () =>
        (await bench.rows<{ n: number }>('select n from many order by at')).map(({ n }) => n),
      )
      .toEqual(numbers(20))
    expect(failed).toBe(3)
  })

  test('goes on where it was, and where it is sent', async () => {
    const stream = await filled(10, 3)
    const options = { mode: 'ordered', start: 'earliest' } as const
    const heard: number[] = []
    const listen = () => stream.group('g', options).consume(({ payload }) => heard.push(payload))
    const first = await listen()
    await expect.poll(() => heard.length).toBe(10)
    await first.close()
    await stream.append(10, { key: 'key-1' })
    const second = await listen()
    await expect.poll(() => heard.slice(10)).toEqual([10])
    await second.close()
    await stream.group('g', options).seek(9)
    await listen()
    await expect.poll(() => heard.slice(11).toSorted()).toEqual([10, 9].toSorted())
  })
})

describe('a shared group', () => {
  test('gives every message to one of its members', async () => {
    const stream = await filled(500)
    const other = bench.pubSub(1).stream<number>(stream.name)
    const options = { mode: 'shared', start: 'earliest' } as const
    const heard: number[][] = [[], []]
    await Promise.all(
      [stream, other].map((each, n) =>
        each.group('g', options).consume(({ payload }) => heard[n]?.push(payload)),
      ),
    )
    await expect.poll(() => heard.flat().length).toBe(500)
    expect(heard.flat().toSorted((a, b) => a - b)).toEqual(numbers(500))
    await stream.append(500)
    await expect.poll(() => heard.flat().length).toBe(501)
    await expect.poll(() => bench.rows('select * from howdah.stream_pending')).toEqual([])
  })

  test('tries again what fails, and buries it in the end; redriven it comes back', async () => {
    const stream = await filled(5)
    const group = stream.group('g', {
      mode: 'shared',
      start: 'earliest',
      maxAttempts: 3,
      backoff: 1,
    })
    const tries: number[] = []
    let mended = false
    const done: number[] = []
    await group.consume(({ payload }, { attempt }) => {
      if (payload === 2 && !mended) {
        tries.push(attempt)
        throw new Error('no')
      }
      done.push(payload)
    })
    await expect.poll(async () => (await group.deadLetters()).length).toBe(1)
    expect(tries).toEqual([1, 2, 3])
    expect(await group.deadLetters()).toMatchObject([{ offset: 3, payload: 2, attempts: 3 }])
    mended = true
    expect(await group.redrive()).toBe(1)
    await expect.poll(() => done.toSorted()).toEqual([0, 1, 2, 3, 4])
    expect(await group.deadLetters()).toEqual([])
  })

  test('brings a message back after the time its handler asks for, which counts as an attempt', async () => {
    const stream = await filled(2)
    const group = stream.group('g', {
      mode: 'shared',
      start: 'earliest',
      maxAttempts: 3,
      backoff: '1h',
    })
    const seen: number[][] = []
    await group.consume(({ payload }, { attempt, retryAfter }) => {
      seen.push([payload, attempt])
      if (payload === 1) return
      retryAfter(1)
      if (attempt === 2) throw new Error('sooner than in an hour')
    })
    await expect.poll(async () => (await group.deadLetters()).length).toBe(1)
    expect(seen.filter(([payload]) => payload === 0)).toEqual([
      [0, 1],
      [0, 2],
      [0, 3],
    ])
    expect(seen.filter(([payload]) => payload === 1)).toEqual([[1, 1]])
    expect(await group.deadLetters()).toMatchObject([
      { offset: 1, error: 'The handler asked for it.' },
    ])
  })

  test('buries a message whose handler throws what has no text form', async () => {
    const stream = await filled(1)
    const group = stream.group('g', { mode: 'shared', start: 'earliest', maxAttempts: 1 })
    await group.consume(() => {
      throw Object.create(null)
    })
    await expect.poll(async () => (await group.deadLetters()).length).toBe(1)
    expect((await group.deadLetters())[0]?.error).toBe('A value without a text form was thrown.')
  })

  test('takes over what a member that is gone has held, and buries what kills its members', async () => {
    const stream = await filled(2)
    const group = stream.group('g', {
      mode: 'shared',
      start: 'earliest',
      lease: '100ms',
      maxAttempts: 2,
    })
    await group.deadLetters()
    const [row] = await bench.rows<{ id: number }>(
      `select g.id from howdah.stream_group g join howdah.stream t on t.id = g.stream where t.name = $1`,
      [stream.name],
    )
    // What was appended is in order by then.
    expect(await stream.head()).toBe('1:2')
    // A member that takes a message and is never heard of again.
    await bench.rows(`select * from howdah.stream_shared_take($1, 'gone', 1, 50, 2)`, [row?.id])
    const heard: number[][] = []
    const consumer = await group.consume(({ offset }, { attempt }) => heard.push([offset, attempt]))
    await expect
      .poll(() => heard.toSorted())
      .toEqual([
        [1, 2],
        [2, 1],
      ])
    await consumer.close()
    await stream.append(9)
    for (const _ of [1, 2]) {
      await expect
        .poll(async () => {
          const taken = await bench.rows(
            `select given from howdah.stream_shared_take($1, 'gone', 1, 1, 2)`,
            [row?.id],
          )
          return taken[0]?.['given']
        })
        .not.toBeNull()
    }
    await expect
      .poll(async () => {
        await bench.rows(`select given from howdah.stream_shared_take($1, 'gone', 1, 1, 2)`, [
          row?.id,
        ])
        return (await group.deadLetters()).map(({ offset }) => offset)
      })
      .toEqual([3])
  })

  test('keeps what a handler works on for longer than its lease', async () => {
    const stream = await filled(1)
    const group = stream.group('g', { mode: 'shared', start: 'earliest', lease: '2s' })
    let starts = 0
    const { promise, resolve } = deferred()
    await group.consume(async () => {
      starts++
      await promise
    })
    const renewals = () =>
      bench.rows<{ due: Date; lease: string }>(
        'select due_at as due, lease from howdah.stream_pending',
      )
    await expect.poll(async () => (await renewals()).length).toBe(1)
    const [first] = await renewals()
    // More than two leases later by the server's clock it is still the same one.
    await expect
      .poll(async () => Number((await renewals())[0]?.due) - Number(first?.due))
      .toBeGreaterThan(4_500)
    expect((await renewals())[0]?.lease).toBe(first?.lease)
    resolve()
    await expect.poll(renewals).toEqual([])
    expect(starts).toBe(1)
  })

  test('hands back at once what it has not begun to do when it closes', async () => {
    const stream = await filled(3)
    const options = { mode: 'shared', start: 'earliest', lease: '1h' } as const
    const heard: number[] = []
    const first = await stream
      .group('g', options)
      .consume(({ payload }) => heard.push(payload), { concurrency: 1 })
    await expect.poll(() => heard.length).toBeGreaterThan(0)
    await first.close()
    await stream.group('g', options).consume(({ payload }) => heard.push(payload))
    await expect.poll(() => heard).toEqual([0, 1, 2])
  })

  test('refuses another mode than it was made with, and options that mean nothing', async () => {
    const stream = await filled(1)
    await stream.group('g', { mode: 'shared' }).deadLetters()
    await expect(stream.group('g', { mode: 'ordered' }).consume(() => {})).rejects.toMatchObject({
      code: 'PUBSUB_INVALID_OPTION',
    })
    for (const wrong of [
      {},
      { mode: 'both' },
      { mode: 'shared', lease: 1 },
      { mode: 'shared', maxAttempts: 0 },
    ]) {
      expect(() => stream.group('x', wrong as never)).toThrow()
    }
    expect(() => stream.group('a\0', { mode: 'shared' })).toThrow(/name/)
  })
})
