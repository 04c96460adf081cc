import { randomBytes } from 'node:crypto'
import { Database } from '@howdah/core'
import { testDatabase } from '@howdah/testkit'
import fc from 'fast-check'
import type pg from 'pg'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { PubSub } from '../src/index.js'
import { Bench, eventually } from './support.js'

let database: Awaited<ReturnType<typeof testDatabase>>
let pools: [pg.Pool, pg.Pool]
const open: PubSub[] = []
let channels = 0

/** A PubSub on one of two pools, as two processes would have. */
function pubSub(process: 0 | 1 = 0): PubSub {
  const made = new PubSub({ pool: pools[process] })
  open.push(made)
  return made
}

function name(): string {
  return `channel-${++channels}`
}

beforeAll(async () => {
  database = await testDatabase()
  pools = [database.pool(), database.pool()]
})
afterEach(async () => {
  await Promise.all(open.splice(0).map((each) => each.close()))
})
afterAll(async () => {
  await Promise.all(pools.map((pool) => Database.from(pool).close()))
  await database.close()
})

describe('publish() and subscribe()', () => {
  test('reach every subscriber in every process, in order', async () => {
    const channel = name()
    const heard: number[][] = [[], [], []]
    await pubSub(0)
      .channel<number>(channel)
      .subscribe((n) => heard[0]?.push(n))
    await pubSub(1)
      .channel<number>(channel)
      .subscribe((n) => heard[1]?.push(n))
    await pubSub(1)
      .channel<number>(channel)
      .subscribe((n) => heard[2]?.push(n))
    await pubSub(1)
      .channel<number>(name())
      .subscribe(() => heard[0]?.push(-1))
    const numbers = Array.from({ length: 500 }, (_, n) => n)
    const publisher = pubSub(0).channel<number>(channel)
    await Promise.all(numbers.map((n) => publisher.publish(n)))
    await expect.poll(() => heard.map((each) => each.length)).toEqual([500, 500, 500])
    expect(heard).toEqual([numbers, numbers, numbers])
  })

  test('carry payloads far above the 8 kB of a notification, in order with small ones', async () => {
    const channel = name()
    const heard: string[] = []
    await pubSub(1)
      .channel<string>(channel)
      .subscribe((text) => heard.push(text))
    const sent = [10, 7_900, 8_000, 8_001, 100_000, 3, 500_000, 1].map((n) => 'é'.repeat(n))
    const publisher = pubSub(0).channel<string>(channel)
    await Promise.all(sent.map((text) => publisher.publish(text)))
    await expect.poll(() => heard.length).toBe(sent.length)
    expect(heard).toEqual(sent)
  })

  test('carry any JSON on channels of any name', async () => {
    const publisher = pubSub(0)
    const subscriber = pubSub(1)
    const title = fc.oneof(
      fc.string({ unit: 'grapheme', minLength: 1, maxLength: 300 }),
      fc.constantFrom('__proto__', 'constructor', '\0', "'; notify x --", '*'),
    )
    await fc.assert(
      fc.asyncProperty(title, fc.jsonValue(), async (channel, message) => {
        const heard: unknown[] = []
        const subscription = await subscriber.channel(channel).subscribe((m) => heard.push(m))
        await publisher.channel(channel).publish(message)
        await expect.poll(() => heard.length, { interval: 2 }).toBe(1)
        expect(heard).toEqual([JSON.parse(JSON.stringify(message))])
        await subscription.close()
      }),
      { numRuns: 40 },
    )
  })

  test('deliver equal messages each on their own', async () => {
    const channel = name()
    let heard = 0
    await pubSub(1)
      .channel<string>(channel)
      .subscribe(() => heard++)
    const publisher = pubSub(0).channel<string>(channel)
    await Promise.all(Array.from({ length: 100 }, () => publisher.publish('same')))
    await expect.poll(() => heard).toBe(100)
  })

  test('send with the commit of the transaction, or not at all', async () => {
    const channel = name()
    const heard: string[] = []
    await pubSub(1)
      .channel<string>(channel)
      .subscribe((m) => heard.push(m))
    const publisher = pubSub(0).channel<string>(channel)
    const client = await pools[0].connect()
    await client.query('begin')
    await publisher.publish('rolled back', { client })
    await client.query('rollback')
    await client.query('begin')
    await publisher.publish('committed', { client })
    await client.query('commit')
    client.release()
    const db = Database.from(pools[0])
    await db
      .transaction(async (tx) => {
        await publisher.publish('thrown away', { client: tx })
        throw new Error('no')
      })
      .catch(() => {})
    await db.transaction(async (tx) => {
      await publisher.publish('after the commit', { client: tx })
    })
    await expect.poll(() => heard).toEqual(['committed', 'after the commit'])
  })

  test('end with the subscription', async () => {
    const channel = name()
    const heard: number[] = []
    const subscriber = pubSub(1).channel<number>(channel)
    const first = await subscriber.subscribe((n) => heard.push(n))
    const second = await subscriber.subscribe((n) => heard.push(n * 10))
    const publisher = pubSub(0).channel<number>(channel)
    await publisher.publish(1)
    await expect.poll(() => heard).toEqual([1, 10])
    await first.close()
    await publisher.publish(2)
    await expect.poll(() => heard).toEqual([1, 10, 20])
    await second.close()
    await expect.poll(() => Database.from(pools[1]).hub.state).toBe('idle')
  })

  test('tell of a gap before what came after it', async () => {
    const channel = name()
    const heard: string[] = []
    const subscriber = pubSub(1)
    await subscriber
      .channel<string>(channel)
      .subscribe((m) => heard.push(m), { onGap: () => heard.push('gap') })
    await pools[0].query(
      `select pg_terminate_backend(pid) from pg_stat_activity
       where datname = current_database() and application_name = 'howdah'`,
    )
    const publisher = pubSub(0).channel<string>(channel)
    await expect.poll(() => heard).toContain('gap')
    await publisher.publish('later')
    await expect.poll(() => heard.at(-1)).toBe('later')
    expect(heard.indexOf('gap')).toBeLessThan(heard.indexOf('later'))
  })

  test('let a listener that throws take nothing from the others', async () => {
    const channel = name()
    const subscriber = pubSub(1)
    const heard: number[] = []
    const errors: unknown[] = []
    subscriber.on('error', (error) => errors.push(error))
    await subscriber.channel<number>(channel).subscribe(() => {
      throw new Error('mine')
    })
    await subscriber.channel<number>(channel).subscribe((n) => heard.push(n))
    await pubSub(0).channel<number>(channel).publish(1)
    await expect.poll(() => heard).toEqual([1])
    expect(errors).toMatchObject([{ message: 'mine' }])
  })
})

describe('messages of every kind and size', () => {
  const bench = new Bench().use()

  test('arrive in the order of the calls, bytes as bytes and JSON as JSON, also where they are polled for', async () => {
    const name = bench.name()
    const listening = bench.process()
    const polling = bench.process({}, { listen: false, hub: { pollInterval: '20ms' } })
    const heard: unknown[][] = [[], []]
    const subscribers = [listening, polling]
    for (const [at, { pubsub }] of subscribers.entries()) {
      await pubsub.channel(name).subscribe((message) => heard[at]?.push(message))
    }
    const sent = [
      'small',
      Buffer.from([0, 255, 128]),
      'x'.repeat(9_000),
      randomBytes(900_000),
      'é'.repeat(600_000),
      { $bytes: 'AP+A' },
      new Uint8Array(0),
      randomBytes(2_000_000),
      'AP+A',
      null,
      '\0\ud800'.repeat(150_000),
      [7],
    ]
    const publisher = bench.process().pubsub.channel<unknown>(name)
    await Promise.all(sent.map((message) => publisher.publish(message)))
    for (const messages of heard) {
      await eventually(() => messages.length).toBe(sent.length)
      for (const [at, message] of sent.entries()) {
        const bytes = message instanceof Uint8Array
        expect(messages[at] instanceof Uint8Array).toBe(bytes)
        if (bytes) expect(Buffer.compare(messages[at] as Uint8Array, message)).toBe(0)
        else
          expect(
            messages[at] === message || JSON.stringify(messages[at]) === JSON.stringify(message),
          ).toBe(true)
      }
    }
    expect(polling.db.hub.state).toBe('polling')
  })

  test('are what they were when they were published, whatever becomes of their memory', async () => {
    const channel = bench.process().pubsub.channel<Uint8Array>(bench.name())
    const heard: Uint8Array[] = []
    await channel.subscribe((bytes) => heard.push(bytes))
    const bytes = new Uint8Array(1_500_000).fill(1)
    const sent = channel.publish(bytes)
    bytes.fill(2)
    await sent
    await eventually(() => heard.map((each) => each.every((byte) => byte === 1))).toEqual([true])
  })

  test('come on channels whose names are long or hostile', async () => {
    const { pubsub } = bench.process()
    const other = bench.process().pubsub
    const names = [
      '\0',
      '__proto__',
      'constructor',
      "'; drop table x; --",
      '€'.repeat(21_845),
      '\n'.repeat(65_536),
      ' ',
      'j',
      'jj',
    ]
    const heard: [string, unknown, string][] = []
    for (const name of names) {
      await pubsub
        .channel(name)
        .subscribe((message, { channel }) => heard.push([name, message, channel]))
    }
    for (const name of names) await other.channel(name).publish(name.slice(0, 3))
    await other.channel(names[4] as string).publish('x'.repeat(1_048_000))
    await eventually(() => heard.length).toBe(names.length + 1)
    for (const [at, name] of names.entries())
      expect(heard[at]).toEqual([name, name.slice(0, 3), name])
  })
})

describe('a schema', () => {
  const bench = new Bench().use()

  test('makes what is sent, and refuses what does not fit before anything is sent', async () => {
    const schema = z.object({ id: z.coerce.number() })
    const channel = bench.process().pubsub.channel(bench.name(), { schema })
    const heard: unknown[] = []
    await channel.subscribe((message) => heard.push(message))
    await expect(channel.publish({ id: 'x' } as never)).rejects.toMatchObject({
      code: 'PUBSUB_INVALID_MESSAGE',
      message: expect.stringContaining('id'),
    })
    await channel.publish({ id: '7', more: true } as never)
    await eventually(() => heard).toEqual([{ id: 7 }])
  })

  test('must be one', () => {
    const { pubsub } = bench.process()
    expect(() => pubsub.channel('x', { schema: {} as never })).toThrow(/Standard Schema/)
  })
})

describe('messages()', () => {
  test('iterates until the signal aborts', async () => {
    const channel = name()
    const stop = new AbortController()
    const heard: number[] = []
    const reading = (async () => {
      const messages = pubSub(1).channel<number>(channel).messages({ signal: stop.signal })
      for await (const n of messages) heard.push(n)
    })()
    const publisher = pubSub(0).channel<number>(channel)
    await expect
      .poll(async () => {
        await publisher.publish(1)
        return heard.length
      })
      .toBeGreaterThan(0)
    stop.abort()
    await reading
  })

  test('fails when the reader falls behind, after what it had kept', async () => {
    const channel = name()
    const messages = pubSub(1).channel<number>(channel).messages({ maxBuffered: 3 })
    const first = messages.next()
    const publisher = pubSub(0).channel<number>(channel)
    await expect
      .poll(async () => {
        await publisher.publish(0)
        return Promise.race([first.then(() => true), new Promise((r) => setImmediate(r, false))])
      })
      .toBe(true)
    const after: number[] = []
    await pubSub(1)
      .channel<number>(channel)
      .subscribe((n) => after.push(n))
    await Promise.all([1, 2, 3, 4, 5, 6].map((n) => publisher.publish(n)))
    await expect.poll(() => after.at(-1)).toBe(6)
    await expect(
      (async () => {
        for await (const _ of messages);
      })(),
    ).rejects.toMatchObject({ code: 'PUBSUB_SLOW_CONSUMER' })
  })
})

describe('bad input', () => {
  test('is refused before anything is sent', async () => {
    const pubsub = pubSub(0)
    const code = (code: string) => expect.objectContaining({ code })
    for (const bad of ['', '\ud800', 'x'.repeat(65_537), 7 as unknown as string]) {
      expect(() => pubsub.channel(bad)).toThrow(code('PUBSUB_INVALID_OPTION'))
    }
    const channel = pubsub.channel<unknown>(name())
    for (const bad of [undefined, 1n, Symbol('x')]) {
      await expect(channel.publish(bad)).rejects.toEqual(code('PUBSUB_INVALID_MESSAGE'))
    }
    await expect(channel.publish('x'.repeat(2 ** 26))).rejects.toEqual(
      code('PUBSUB_MESSAGE_TOO_LARGE'),
    )
    await expect(channel.subscribe(null as unknown as () => void)).rejects.toEqual(
      code('PUBSUB_INVALID_OPTION'),
    )
    await pubsub.close()
    await expect(channel.publish(1)).rejects.toEqual(code('PUBSUB_CLOSED'))
  })
})
