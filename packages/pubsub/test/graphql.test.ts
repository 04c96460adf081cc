import { Database } from '@howdah/core'
import { GraphQLPubSub, type GraphQLPubSubOptions } from '@howdah/pubsub/graphql'
import { type TestDatabase, testDatabase } from '@howdah/testkit'
import {
  type ExecutionResult,
  GraphQLInt,
  GraphQLNonNull,
  GraphQLObjectType,
  GraphQLSchema,
  GraphQLString,
  parse,
  subscribe,
} from 'graphql'
import { type PubSubEngine, withFilter } from 'graphql-subscriptions'
import type pg from 'pg'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { PubSub } from '../src/index.js'

let database: TestDatabase
let pools: [pg.Pool, pg.Pool]
const open: { close(): Promise<void> }[] = []
let triggers = 0

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

/** An engine on one of two pools, as two processes would have. */
function engine(process: 0 | 1, options: Omit<GraphQLPubSubOptions, 'pool'> = {}): GraphQLPubSub {
  const made = new GraphQLPubSub({ pool: pools[process], ...options })
  open.push(made)
  return made
}

function trigger(): string {
  return `TRIGGER_${++triggers}`
}

/** A schema whose subscription `changed(min)` listens to triggers, with payloads `{ changed: { n, cursor } }`. */
function schema(pubsub: PubSubEngine & GraphQLPubSub, names: string | string[], after?: string) {
  const changed = new GraphQLObjectType({
    name: 'Changed',
    fields: { n: { type: new GraphQLNonNull(GraphQLInt) }, cursor: { type: GraphQLString } },
  })
  return new GraphQLSchema({
    query: new GraphQLObjectType({ name: 'Query', fields: { x: { type: GraphQLInt } } }),
    subscription: new GraphQLObjectType({
      name: 'Subscription',
      fields: {
        changed: {
          type: changed,
          args: { min: { type: GraphQLInt } },
          subscribe: withFilter(
            () => pubsub.asyncIterableIterator(names, after === undefined ? {} : { after }),
            (event, args) => event.changed.n >= (args?.['min'] ?? 0),
          ),
        },
      },
    }),
  })
}

type Results = AsyncGenerator<ExecutionResult, void, void>

async function run(made: GraphQLSchema, query = '{ changed { n } }'): Promise<Results> {
  const result = await subscribe({ schema: made, document: parse(`subscription ${query}`) })
  if (!(Symbol.asyncIterator in result)) throw new Error(JSON.stringify(result))
  return result as Results
}

/** Reads into a list until the end. */
function collect(results: AsyncIterable<unknown>) {
  const heard: unknown[] = []
  const ended = (async () => {
    for await (const each of results) heard.push(each)
  })()
  ended.catch(() => {})
  return { heard, ended }
}

/** What is published until somebody hears it. */
const WARM = 5000

/** Publishes until the first is heard: an iterator subscribes at its first next(). */
async function warm(pubsub: GraphQLPubSub, names: string[], heard: unknown[]): Promise<void> {
  for (const name of names) {
    const before = heard.length
    await expect
      .poll(async () => {
        await pubsub.publish(name, { changed: { n: WARM } })
        return heard.length
      })
      .toBeGreaterThan(before)
  }
}

/** TypeScript does not take the library's iterators in a loop, for what their throw() says it answers. */
const iterable = (iterator: unknown) => iterator as AsyncIterable<unknown>
const event = (n: number) => ({ data: { changed: { n } } })
const withoutWarm = (heard: unknown[]) =>
  heard.filter((each) => JSON.stringify(each) !== JSON.stringify(event(WARM)))
const isListening = (process: 0 | 1) => Database.from(pools[process]).hub.state

describe('subscriptions on channels', () => {
  test('get what another process publishes, filtered, in order', async () => {
    const name = trigger()
    const { heard } = collect(await run(schema(engine(0), name), '{ changed(min: 5) { n } }'))
    const publisher = engine(1)
    await warm(publisher, [name], heard)
    for (let n = 0; n < 10; n++) await publisher.publish(name, { changed: { n } })
    await publisher.publish(name, { changed: { n: 1001 } })
    await expect.poll(() => heard.at(-1)).toEqual(event(1001))
    expect(withoutWarm(heard)).toEqual([5, 6, 7, 8, 9, 1001].map(event))
  })

  test('listen to several triggers, each once', async () => {
    const names = [trigger(), trigger(), trigger()]
    const { heard } = collect(await run(schema(engine(0), [...names, ...names])))
    const publisher = engine(1)
    await warm(publisher, names, heard)
    for (const [n, name] of names.entries()) await publisher.publish(name, { changed: { n } })
    await expect.poll(() => withoutWarm(heard)).toEqual([0, 1, 2].map(event))
  })

  test('end with return(), also while they wait, and unsubscribe', async () => {
    await expect.poll(() => isListening(0)).toBe('idle')
    const results = await run(schema(engine(0), trigger()))
    const waiting = results.next()
    await expect.poll(() => isListening(0)).toBe('listening')
    await results.return()
    expect(await waiting).toEqual({ value: undefined, done: true })
    expect(await results.next()).toEqual({ value: undefined, done: true })
    await expect.poll(() => isListening(0)).toBe('idle')
  })

  test('may be left with a break, and thrown into', async () => {
    const pubsub = engine(0)
    const name = trigger()
    const reading = (async () => {
      for await (const each of iterable(pubsub.asyncIterableIterator(name))) return each
    })()
    await expect
      .poll(async () => {
        await engine(1).publish(name, { changed: { n: 1 } })
        return Promise.race([reading, new Promise((resolve) => setImmediate(resolve, undefined))])
      })
      .toEqual({ changed: { n: 1 } })
    const iterator = pubsub.asyncIterableIterator(name)
    await expect(iterator.throw(new Error('mine'))).rejects.toThrow('mine')
    expect(await iterator.next()).toEqual({ value: undefined, done: true })
    await expect.poll(() => isListening(0)).toBe('idle')
  })

  test('fail when they fall behind, rather than fill the memory', async () => {
    const name = trigger()
    const iterator = engine(0, { maxBuffered: 3 }).asyncIterableIterator(name)
    const publisher = engine(1)
    const { heard } = collect(publisher.asyncIterableIterator(name))
    const first = iterator.next()
    await warm(publisher, [name], heard)
    await first
    for (let n = 0; n < 10; n++) await publisher.publish(name, n)
    await expect.poll(() => heard.at(-1)).toBe(9)
    await expect(
      (async () => {
        for await (const _ of iterable(iterator));
      })(),
    ).rejects.toMatchObject({ code: 'PUBSUB_SLOW_CONSUMER' })
    await expect.poll(() => isListening(0)).toBe('idle')
  })

  test('keep hostile trigger names apart, and refuse those that are none', async () => {
    const [listener, publisher] = [engine(0), engine(1)]
    const names = ['__proto__', 'constructor', "'; notify x --", '\0', 'a.*', 'é'.repeat(1000)]
    const heard = names.map(() => [] as unknown[])
    const ids = await Promise.all(
      names.map((name, n) => listener.subscribe(name, (m: unknown) => heard[n]?.push(m))),
    )
    for (const [n, name] of names.entries()) await publisher.publish(name, n)
    await expect.poll(() => heard).toEqual(names.map((_, n) => [n]))
    for (const id of ids) await listener.unsubscribe(id)
    await listener.unsubscribe(ids[0] as number)
    await listener.unsubscribe(-1)
    await expect.poll(() => isListening(0)).toBe('idle')
    const bad = expect.objectContaining({ code: 'PUBSUB_INVALID_OPTION' })
    for (const name of ['', '\ud800', 'x'.repeat(70_000)]) {
      await expect(publisher.publish(name, 1)).rejects.toEqual(bad)
      await expect(publisher.subscribe(name, () => {})).rejects.toEqual(bad)
      expect(() => publisher.asyncIterableIterator(name)).toThrow(bad)
    }
    expect(() => publisher.asyncIterableIterator([])).toThrow(bad)
  })

  test('hear of a gap, and of listeners that throw', async () => {
    const gaps: string[] = []
    const errors: unknown[] = []
    const listener = engine(0, {
      onGap: (name) => gaps.push(name),
      onError: (error) => errors.push(error),
    })
    const name = trigger()
    await listener.subscribe(name, async () => {
      throw new Error('later')
    })
    await listener.subscribe(name, () => {
      throw new Error('now')
    })
    await engine(1).publish(name, 1)
    await expect
      .poll(() => errors.map((error) => (error as Error).message).sort())
      .toEqual(['later', 'now'])
    await pools[1].query(
      `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and application_name = 'howdah'`,
    )
    await expect.poll(() => gaps).toEqual([name, name])
  })

  test('get what a transaction publishes if it commits', async () => {
    const name = trigger()
    const heard: unknown[] = []
    await engine(0).subscribe(name, (m: unknown) => heard.push(m))
    const publisher = engine(1)
    const client = await pools[1].connect()
    for (const end of ['rollback', 'commit']) {
      await client.query('begin')
      await publisher.publish(name, end, { client })
      await client.query(end)
    }
    client.release()
    await expect.poll(() => heard).toEqual(['commit'])
  })
})

describe('subscriptions on streams', () => {
  const durable = {
    stream: (name: string) => (name.startsWith('TRIGGER') ? {} : undefined),
    fromMessage: ({ payload, position }: { payload: unknown; position: string }) => {
      const { changed } = payload as { changed: object }
      return { changed: { ...changed, cursor: position } }
    },
  }
  const query = '{ changed { n cursor } }'

  /** Reads so many results, and ends. */
  async function take(results: Results, count: number) {
    const taken: { n: number; cursor: string }[] = []
    for (let n = 0; n < count; n++) {
      const { value } = await results.next()
      taken.push((value as { data: { changed: { n: number; cursor: string } } }).data.changed)
    }
    await results.return()
    return taken
  }

  test('go on where a client stopped, in another process', async () => {
    const name = trigger()
    const publisher = engine(1, durable)
    for (let n = 0; n < 5; n++) await publisher.publish(name, { changed: { n } })
    const first = await take(await run(schema(engine(0, durable), name, 'earliest'), query), 2)
    expect(first.map(({ n }) => n)).toEqual([0, 1])
    const second = await run(schema(engine(0, durable), name, first[1]?.cursor), query)
    const reading = take(second, 5)
    await publisher.publish(name, { changed: { n: 5 } })
    await publisher.publish(name, { changed: { n: 6 } })
    expect((await reading).map(({ n }) => n)).toEqual([2, 3, 4, 5, 6])
    await expect.poll(() => isListening(0)).toBe('idle')
  })

  test('mix with channels, and are read no faster than their client reads', async () => {
    const [kept, channel] = [trigger(), `CHANNEL_${trigger()}`]
    const [listener, publisher] = [engine(0, durable), engine(1, durable)]
    for (let n = 0; n < 2000; n++) void publisher.publish(kept, { changed: { n } })
    await publisher.publish(kept, { changed: { n: 2000 } })
    const iterator = listener.asyncIterableIterator<{ changed: { n: number } }>([kept, channel], {
      after: 'earliest',
    })
    const heard: number[] = []
    heard.push((await iterator.next()).value.changed.n)
    await expect.poll(() => isListening(0)).toBe('listening')
    const { heard: others } = collect(publisher.asyncIterableIterator(channel))
    await warm(publisher, [channel], others)
    while (heard.filter((n) => n <= 2000).length < 2001)
      heard.push((await iterator.next()).value.changed.n)
    await iterator.return?.()
    expect(heard.filter((n) => n !== WARM)).toEqual(Array.from({ length: 2001 }, (_, n) => n))
    await expect.poll(() => isListening(0)).toBe('idle')
  })

  test('call back in order with subscribe()', async () => {
    const name = trigger()
    const errors: unknown[] = []
    const listener = engine(0, { ...durable, onError: (error) => errors.push(error) })
    const publisher = engine(1, durable)
    await publisher.publish(name, { changed: { n: 1 } })
    const heard: unknown[] = []
    const id = await listener.subscribe(
      name,
      (m: { changed: { n: number } }) => heard.push(m.changed.n),
      {
        after: 'earliest',
      },
    )
    await publisher.publish(name, { changed: { n: 2 } })
    await expect.poll(() => heard).toEqual([1, 2])
    await listener.unsubscribe(id)
    await listener.subscribe(
      name,
      () => {
        throw new Error('mine')
      },
      { after: 'earliest' },
    )
    await expect.poll(() => errors).toMatchObject([{ message: 'mine' }])
  })

  test('fail for a place that never was', async () => {
    const name = trigger()
    const pubsub = engine(0, durable)
    for (const after of ['nonsense', '1:-1', "1:1'; drop"]) {
      await expect(pubsub.asyncIterableIterator(name, { after }).next()).rejects.toMatchObject({
        code: 'PUBSUB_INVALID_OPTION',
      })
    }
    await expect(
      pubsub.asyncIterableIterator(name, { after: '1:99' }).next(),
    ).rejects.toMatchObject({
      code: 'PUBSUB_RESET',
    })
  })
})

describe('new GraphQLPubSub()', () => {
  test('shares a PubSub, and leaves it open', async () => {
    const pubsub = new PubSub({ pool: pools[0] })
    const shared = new GraphQLPubSub({ pubsub })
    const heard: unknown[] = []
    await shared.subscribe('SHARED', (m: unknown) => heard.push(m))
    await pubsub.channel('SHARED').publish({ by: 'anyone' })
    await expect.poll(() => heard).toEqual([{ by: 'anyone' }])
    await shared.close()
    await pubsub.channel('SHARED').publish(1)
    await pubsub.close()
  })

  test('refuses options that make no sense', () => {
    const pool = pools[0]
    const bad = [
      {},
      { pool, pubsub: new PubSub({ pool }) },
      { pool: {} as pg.Pool },
      { pool, stream: 'x' as never },
      { pool, maxBuffered: 0 },
      { pool, onGap: 1 as never },
    ]
    for (const options of bad) expect(() => new GraphQLPubSub(options)).toThrow(/\w/)
  })
})
