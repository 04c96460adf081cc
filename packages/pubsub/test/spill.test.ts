import { expect, test } from 'vitest'
import { Bench, eventually, Recorder } from './support.js'

const bench = new Bench().use()
const LARGE = 'x'.repeat(1_100_000)

/** A process that hears, but whose fetches wait until they are let go: its pool's one connection is taken. */
async function slowReceiver() {
  const process = bench.process({}, {}, { max: 1 })
  return {
    ...process,
    async hold() {
      const client = await process.pool.connect()
      let held = true
      const release = () => {
        if (held) client.release()
        held = false
      }
      bench.atEnd(async () => release())
      return release
    },
  }
}

test('a large message is in a table while it is fetched, and is heard whole', async () => {
  const { pubsub, pool } = bench.process()
  const channel = pubsub.channel<string>(bench.name())
  const heard: string[] = []
  await channel.subscribe((message) => heard.push(message))
  await channel.publish(LARGE)
  await eventually(() => heard).toEqual([LARGE])
  const { rows } = await pool.query('select count(*)::int as n from howdah.pubsub_spill')
  expect(rows).toEqual([{ n: 1 }])
})

test('later messages of its channel wait for it, and those of other channels do not', async () => {
  const receiver = await slowReceiver()
  const sender = bench.process().pubsub
  const [name, other] = [bench.name(), bench.name()]
  const heard: string[] = []
  const note = (message: string) => heard.push(message.slice(0, 6))
  await receiver.pubsub.channel<string>(name).subscribe(note)
  await receiver.pubsub.channel<string>(other).subscribe(note)
  const release = await receiver.hold()
  const channel = sender.channel<string>(name)
  await Promise.all([
    channel.publish('first'),
    channel.publish(`large1${LARGE}`),
    channel.publish('second'),
    channel.publish(`large2${LARGE}`),
    channel.publish('third'),
  ])
  await sender.channel<string>(other).publish('other')
  await eventually(() => heard).toEqual(['first', 'other'])
  release()
  await eventually(() => heard).toEqual(['first', 'other', 'large1', 'second', 'large2', 'third'])
})

test('publishers of a channel keep their order while one of its messages is stored', async () => {
  const { pubsub, pool } = bench.process()
  const receiver = bench.process().pubsub
  const [name, other] = [bench.name(), bench.name()]
  const heard: string[] = []
  const note = (message: string) => heard.push(message.slice(0, 6))
  await receiver.channel<string>(name).subscribe(note)
  await receiver.channel<string>(other).subscribe(note)
  const client = await pool.connect()
  await client.query('begin; lock table howdah.pubsub_spill in share mode')
  const sent = Promise.all([
    pubsub.channel<string>(name).publish(`large1${LARGE}`),
    pubsub.channel<string>(name).publish('second'),
    pubsub.channel<string>(other).publish('other'),
  ])
  await eventually(() => heard).toEqual(['other'])
  await client.query('commit')
  client.release()
  await sent
  await eventually(() => heard).toEqual(['other', 'large1', 'second'])
})

test('one that is gone is told as a gap, to its channel alone, before what came later', async () => {
  const receiver = await slowReceiver()
  const sender = bench.process()
  const [name, other] = [bench.name('gone'), bench.name()]
  const [direct, byPattern, elsewhere] = [new Recorder(), new Recorder(), new Recorder()]
  await receiver.pubsub.channel(name).subscribe(direct.listener, direct.options)
  await receiver.pubsub.pattern('gone-*').subscribe(byPattern.listener, byPattern.options)
  await receiver.pubsub.channel(other).subscribe(elsewhere.listener, elsewhere.options)
  const release = await receiver.hold()
  await sender.pubsub.channel(name).publish(LARGE)
  await sender.pubsub.channel(name).publish('later')
  await sender.pubsub.channel(other).publish('other')
  await eventually(() => elsewhere.log).toEqual(['other'])
  await sender.pool.query('delete from howdah.pubsub_spill')
  release()
  await eventually(() => direct.log).toEqual(['gap', 'later'])
  expect(byPattern.log).toEqual(['gap', 'later'])
  expect(elsewhere.log).toEqual(['other'])
})

test('more than can be held behind one is told as a gap', async () => {
  const receiver = await slowReceiver()
  const name = bench.name()
  const recorder = new Recorder<string | number>()
  await receiver.pubsub
    .channel<string | number>(name)
    .subscribe(recorder.listener, recorder.options)
  const release = await receiver.hold()
  const channel = bench.process().pubsub.channel<string | number>(name)
  await channel.publish(LARGE)
  await Promise.all(Array.from({ length: 10_500 }, (_, n) => channel.publish(n)))
  await eventually(() => receiver.db.hub.stats().received).toBeGreaterThan(10_500)
  release()
  await eventually(() => recorder.log.at(-1)).toBe('gap')
  expect(recorder.log[0]).toBe(LARGE)
  expect(recorder.log.slice(1, -1)).toEqual(Array.from({ length: 10_000 }, (_, n) => n))
  await channel.publish('after')
  await eventually(() => recorder.log.at(-1)).toBe('after')
})

test('it is heard when its transaction commits, and not at all when that rolls back', async () => {
  const { pubsub, pool, db } = bench.process()
  const channel = pubsub.channel<string>(bench.name())
  const heard: string[] = []
  await channel.subscribe((message) => heard.push(message.slice(0, 6)))
  await db
    .transaction(async (tx) => {
      await channel.publish(`thrown${LARGE}`, { client: tx })
      throw new Error('no')
    })
    .catch(() => {})
  await db.transaction(async (tx) => {
    await Promise.all([
      channel.publish(`ours 1${LARGE}`, { client: tx }),
      channel.publish('ours 2', { client: tx }),
    ])
    await channel.publish('direct')
    await eventually(() => heard).toEqual(['direct'])
  })
  const client = await pool.connect()
  await client.query('begin')
  await channel.publish(`theirs${LARGE}`, { client })
  await client.query('rollback')
  await client.query('begin')
  await channel.publish(`pg's 1${LARGE}`, { client })
  await channel.publish(`pg's 2`, { client })
  await client.query('commit')
  client.release()
  await eventually(() => heard).toEqual(['direct', 'ours 1', 'ours 2', "pg's 1", "pg's 2"])
})

test('what is stale goes with the next that is stored, and what others hold is left to them', async () => {
  const { pubsub, pool } = bench.process()
  const channel = pubsub.channel<string>(bench.name())
  await channel.publish(LARGE)
  await channel.publish(LARGE)
  const count = async () =>
    (await pool.query('select count(*)::int as n from howdah.pubsub_spill')).rows[0].n
  await pool.query(
    'delete from howdah.pubsub_spill where id not in (select id from howdah.pubsub_spill limit 2)',
  )
  await pool.query(`update howdah.pubsub_spill set at = at - interval '6 minutes'`)
  const client = await pool.connect()
  await client.query('begin')
  await client.query('select id from howdah.pubsub_spill limit 1 for update')
  await channel.publish(LARGE)
  expect(await count()).toBe(2)
  await client.query('rollback')
  client.release()
  await channel.publish(LARGE)
  expect(await count()).toBe(2)
})

test('maxMessageBytes is the largest that is taken, of JSON and of bytes', async () => {
  const { pubsub } = bench.process({ maxMessageBytes: 10 })
  const channel = pubsub.channel<unknown>(bench.name())
  const heard: unknown[] = []
  await channel.subscribe((message) => heard.push(message))
  const tooLarge = expect.objectContaining({ code: 'PUBSUB_MESSAGE_TOO_LARGE' })
  await expect(channel.publish('x'.repeat(9))).rejects.toEqual(tooLarge)
  await expect(channel.publish('é'.repeat(5))).rejects.toEqual(tooLarge)
  await expect(channel.publish(new Uint8Array(11))).rejects.toEqual(tooLarge)
  await channel.publish('x'.repeat(8))
  await channel.publish(new Uint8Array(10))
  await pubsub.channel<unknown>(channel.name, { maxMessageBytes: 100 }).publish('x'.repeat(9))
  await eventually(() => heard.length).toBe(3)
  for (const bad of [0, 1.5, -1, 2 ** 28, Number.NaN]) {
    expect(() => pubsub.channel('x', { maxMessageBytes: bad })).toThrow(/maxMessageBytes/)
  }
})
