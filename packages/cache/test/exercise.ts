import { expect } from 'vitest'
import type { Cache } from '../src/index.js'

/** Calls everything a cache can do once and expects what it always answers, in an empty namespace. */
export async function exercise(cache: Cache): Promise<void> {
  const values: [string, unknown][] = [
    ['json', { a: [1, null], '"': '\0\ud800' }],
    ['text', "it's $1 ☃"],
    ['nul\0', 1n << 70n],
    ['k'.repeat(2_000), new Date(5)],
    ['', Buffer.from([0, 255])],
    ['big', 'x'.repeat(9_000)],
    ['absent', undefined],
  ]
  await cache.setMany(values, { ttl: '1h', tags: ['all'] })
  expect([...(await cache.getMany(values.map(([key]) => key)))]).toEqual(values)
  const listed: [string, unknown][] = []
  for await (const entry of cache.entries()) listed.push(entry)
  expect(new Map(listed)).toEqual(new Map(values))
  expect(await Promise.all([cache.add('text', 1), cache.add('new', 1)])).toEqual([false, true])
  expect(await cache.replace('new', 2, { sliding: true, ttl: '1m', grace: '1m' })).toBe(true)
  expect(await cache.get('new')).toBe(2)
  expect(await Promise.all([cache.increment('n', 5), cache.decrement('n')])).toEqual([5, 4])
  expect([await cache.touch('new', '5m'), await cache.touch('nothing')]).toEqual([true, false])
  expect(await cache.ttl('new')).toBeGreaterThan(60_000)
  const entry = await cache.entry('new')
  const version = await cache.compareAndSet('new', entry?.version, 3)
  expect(Number(version)).toBeGreaterThan(Number(entry?.version))
  expect(await cache.compareAndSet('new', entry?.version, 4)).toBeUndefined()
  const options = { tags: ['loaded'], ttl: '1m' } as const
  const loads = await Promise.all([
    cache.getOrSet('load', () => 'loaded', options),
    cache.getOrSet('load', () => 'loaded', options),
    cache.getOrSet('new', () => 'not called'),
  ])
  expect(loads).toEqual(['loaded', 'loaded', 3])
  await expect(cache.getOrSet('failed', () => Promise.reject(new Error('no')))).rejects.toThrow(
    'no',
  )
  await cache.invalidateTags(['loaded'])
  expect(await cache.has('load')).toBe(false)
  expect(await cache.deleteMany(['json', 'text', 'nothing'])).toBe(2)
  expect((await cache.stats()).entries).toBeGreaterThanOrEqual(7)
  await cache.invalidateTags(['all'])
  expect(await cache.has('big')).toBe(false)
  await cache.clear()
  for await (const key of cache.keys()) expect(key).toBe('there should be none')
  await cache.set('last', 1)
  expect(await cache.delete('last')).toBe(true)
}
