import { describe, expect, test } from 'vitest'
import { Cache } from '../src/index.js'
import { Bench } from './support.js'

const bench = new Bench()

describe('bad input', () => {
  test.each([
    [{ namespace: '' }, 'CACHE_INVALID_OPTION'],
    [{ namespace: 'a\0' }, 'CACHE_INVALID_OPTION'],
    [{ namespace: 'x'.repeat(513) }, 'CACHE_INVALID_OPTION'],
    [{ maxValueBytes: 0 }, 'CACHE_INVALID_OPTION'],
    [{ ttl: 'soon' as '1s' }, 'CORE_INVALID_DURATION'],
    [{ ttl: 0 }, 'CORE_INVALID_DURATION'],
    [{ jitter: 1 }, 'CACHE_INVALID_OPTION'],
    [{ sliding: 'yes' as never }, 'CACHE_INVALID_OPTION'],
    [{ durability: 'none' as never }, 'CACHE_INVALID_OPTION'],
    [{ maxEntries: 0.5 }, 'CACHE_INVALID_OPTION'],
    [{ maxBytes: -1 }, 'CACHE_INVALID_OPTION'],
    [{ compress: {} as never }, 'CACHE_INVALID_OPTION'],
    [{ codec: {} as never }, 'CACHE_INVALID_OPTION'],
  ])('is refused at construction: %j', (options, code) => {
    expect(() => new Cache({ pool: bench.pool, ...options })).toThrow(
      expect.objectContaining({ code }),
    )
  })

  test('is refused before anything is written', async () => {
    const cache = bench.cache({ maxValueBytes: 100 })
    const cyclic: Record<string, unknown> = {}
    cyclic['self'] = cyclic
    const bad: [unknown, string][] = [
      [() => 1, 'CACHE_INVALID_VALUE'],
      [Symbol('s'), 'CACHE_INVALID_VALUE'],
      [{ nested: 1n }, 'CACHE_INVALID_VALUE'],
      [new Map([[1, 2]]), 'CACHE_INVALID_VALUE'],
      [new Uint16Array(3), 'CACHE_INVALID_VALUE'],
      [Buffer.alloc(101), 'CACHE_VALUE_TOO_LARGE'],
      [cyclic, 'CACHE_INVALID_VALUE'],
      ['é'.repeat(51), 'CACHE_VALUE_TOO_LARGE'],
    ]
    for (const [value, code] of bad) {
      await expect(cache.set('k', value)).rejects.toMatchObject({ code })
    }
    await expect(cache.set('k', 1, { ttl: -1 })).rejects.toMatchObject({
      code: 'CORE_INVALID_DURATION',
    })
    await expect(cache.get(7 as unknown as string)).rejects.toMatchObject({
      code: 'CACHE_INVALID_KEY',
    })
    expect(await cache.get('k')).toBeUndefined()
    await cache.set('k', 'é'.repeat(50))
    await cache.close()
    await expect(cache.get('k')).rejects.toMatchObject({ code: 'CACHE_CLOSED' })
  })

  test('does not reach the prototype of what is read', async () => {
    const cache = bench.cache()
    await cache.set('k', JSON.parse('{"__proto__": {"admin": true}}'))
    const value = await cache.get<Record<string, unknown>>('k')
    expect(value?.['admin']).toBeUndefined()
    expect(Object.hasOwn(value ?? {}, '__proto__')).toBe(true)
  })
})

test('calls with bad options are refused before anything is sent', async () => {
  const cache = bench.cache()
  const load = () => 1
  const calls: [() => Promise<unknown>, string][] = [
    [() => cache.set('k', 1, { tags: [''] }), 'CACHE_INVALID_TAG'],
    [() => cache.set('k', 1, { tags: 't' as never }), 'CACHE_INVALID_TAG'],
    [() => cache.invalidateTags(new Array(129).fill('t')), 'CACHE_INVALID_TAG'],
    [() => cache.set('k', 1, { grace: -1 }), 'CORE_INVALID_DURATION'],
    [() => cache.increment('k', 0.5), 'CACHE_INVALID_COUNTER'],
    [() => cache.increment('k', 2 ** 53), 'CACHE_INVALID_COUNTER'],
    [() => cache.compareAndSet('k', 'v1', 1), 'CACHE_INVALID_OPTION'],
    [() => cache.getOrSet('k', 'value' as never), 'CACHE_INVALID_OPTION'],
    [() => cache.getOrSet('k', load, { hardTimeout: 0 }), 'CORE_INVALID_DURATION'],
    [() => cache.getOrSet('k', load, { softTimeout: 2 ** 31 }), 'CORE_INVALID_DURATION'],
    [() => cache.getOrSet('k', load, { negativeTtl: 0 }), 'CORE_INVALID_DURATION'],
    [() => cache.touch('k', 0), 'CORE_INVALID_DURATION'],
    [() => cache.getMany(['k', null as never]), 'CACHE_INVALID_KEY'],
    [
      () =>
        cache.setMany([
          ['k', 1],
          ['bad', Symbol('s')],
        ]),
      'CACHE_INVALID_VALUE',
    ],
  ]
  for (const [call, code] of calls) await expect(call()).rejects.toMatchObject({ code })
  expect(await cache.has('k')).toBe(false)
})

test('a counter refuses what is no integer, and leaves it as it is', async () => {
  const cache = bench.cache()
  for (const value of [
    '7',
    7.5,
    NaN,
    Infinity,
    { n: 1 },
    null,
    undefined,
    7n,
    new Date(7),
    2 ** 53,
  ]) {
    await cache.set('k', value)
    await expect(cache.increment('k')).rejects.toMatchObject({ code: 'CACHE_INVALID_COUNTER' })
    expect(await cache.get('k')).toEqual(value)
  }
  await cache.set('k', Number.MAX_SAFE_INTEGER - 1)
  expect(await cache.increment('k')).toBe(Number.MAX_SAFE_INTEGER)
  await expect(cache.increment('k')).rejects.toMatchObject({ code: 'CACHE_INVALID_COUNTER' })
  expect(await cache.decrement('k', Number.MAX_SAFE_INTEGER)).toBe(0)
})
