import { expect, test } from 'vitest'
import { Bench } from './support.js'

const bench = new Bench()

test('every write joins the transaction of the caller, and goes with it', async () => {
  const cache = bench.cache()
  const before = [
    ['set', 1],
    ['setMany', 1],
    ['replace', 1],
    ['delete', 1],
    ['touch', 1],
    ['increment', 1],
    ['swap', 1],
  ] as const
  const everything = async (client: Awaited<ReturnType<typeof bench.begin>>) => {
    const version = (await cache.entry('swap', { client }))?.version
    await cache.set('set', 2, { client })
    await cache.setMany(
      [
        ['setMany', 2],
        ['new', 2],
      ],
      { client },
    )
    expect(await cache.add('add', 2, { client })).toBe(true)
    expect(await cache.add('set', 3, { client })).toBe(false)
    expect(await cache.replace('replace', 2, { client })).toBe(true)
    expect(await cache.delete('delete', { client })).toBe(true)
    expect(await cache.delete('nothing', { client })).toBe(false)
    expect(await cache.touch('touch', '1m', { client })).toBe(true)
    expect(await cache.increment('increment', 5, { client })).toBe(6)
    expect(await cache.increment('counter', 5, { client })).toBe(5)
    expect(await cache.compareAndSet('swap', version, 2, { client })).toBeDefined()
  }
  const keys = [
    'set',
    'setMany',
    'new',
    'add',
    'replace',
    'delete',
    'touch',
    'increment',
    'counter',
    'swap',
  ]
  const after = [
    ['set', 2],
    ['setMany', 2],
    ['new', 2],
    ['add', 2],
    ['replace', 2],
    ['touch', 1],
    ['increment', 6],
    ['counter', 5],
    ['swap', 2],
  ]
  for (const isolation of ['read committed', 'repeatable read', 'serializable']) {
    for (const end of ['rollback', 'commit']) {
      await cache.clear()
      await cache.setMany(before)
      const client = await bench.begin(isolation)
      await everything(client)
      expect([...(await cache.getMany(keys, { client }))]).toEqual(after)
      expect([...(await cache.getMany(keys))]).toEqual(before)
      await client.query(end)
      expect([...(await cache.getMany(keys))]).toEqual(end === 'commit' ? after : before)
      expect((await cache.ttl('touch')) === null).toBe(end === 'rollback')
      expect(await cache.add('delete', 3)).toBe(end === 'commit')
    }
  }
})

test('a clear in a transaction is seen by it, and by others once it commits', async () => {
  const cache = bench.cache()
  await cache.set('k', 1)
  const client = await bench.begin()
  await cache.clear({ client })
  expect(await cache.get('k', { client })).toBeUndefined()
  await cache.set('k', 2, { client })
  expect(await cache.get('k', { client })).toBe(2)
  expect(await cache.get('k')).toBe(1)
  await client.query('commit')
  expect(await cache.get('k')).toBe(2)
})
