import { expect, test } from 'vitest'
import { Bench } from './support.js'

const bench = new Bench()

test('an entry is hidden once its time has passed by the clock of the database', async () => {
  const cache = bench.cache()
  await cache.set('k', 1, { ttl: '10m' })
  await cache.set('forever', 1)
  await bench.age(cache.name, '9 minutes')
  expect(await cache.get('k')).toBe(1)
  await bench.age(cache.name, '2 minutes')
  expect([await cache.get('k'), await cache.get('forever')]).toEqual([undefined, 1])
  expect([await cache.delete('k'), await cache.replace('k', 2)]).toEqual([false, false])
})

test('reads prolong a sliding entry once a tenth of its time has passed', async () => {
  const cache = bench.cache({ sliding: true, ttl: '10m' })
  await cache.set('k', 1)
  await cache.set('still', 1, { sliding: false })
  await bench.age(cache.name, '8 minutes')
  expect(await cache.get('k')).toBe(1)
  await expect.poll(() => cache.ttl('k')).toBeGreaterThan(9 * 60_000)
  await bench.age(cache.name, '8 minutes')
  expect([await cache.get('k'), await cache.get('still')]).toEqual([1, undefined])
})

test('jitter takes up to its part off the time to live', async () => {
  const cache = bench.cache({ ttl: '10m', jitter: 0.5 })
  const keys = Array.from({ length: 40 }, (_, i) => `k${i}`)
  await cache.setMany(keys.map((key) => [key, 1] as const))
  const left = (await Promise.all(keys.map((key) => cache.ttl(key)))) as number[]
  expect(Math.min(...left)).toBeGreaterThan(4.5 * 60_000)
  expect(Math.max(...left)).toBeLessThanOrEqual(10 * 60_000)
  expect(new Set(left.map(Math.round)).size).toBeGreaterThan(10)
})

test('the longest time to live is one', async () => {
  const cache = bench.cache()
  const years = 9_999 * 365 * 86_400_000
  await cache.set('k', 1, { ttl: years, grace: years })
  expect(await cache.ttl('k')).toBeGreaterThan(years - 60_000)
})
