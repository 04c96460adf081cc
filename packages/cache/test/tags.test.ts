import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Bench } from './support.js'

const bench = new Bench()

describe('invalidateTags()', () => {
  test('forgets what carries one of the tags, in every process, and nothing else', async () => {
    const namespace = bench.fresh()
    const [ours, theirs] = [
      bench.cache({ namespace }),
      bench.cache({ namespace, pool: bench.otherPool }),
    ]
    const elsewhere = bench.cache()
    await ours.setMany([
      ['a', 1, { tags: ['one'] }],
      ['b', 2, { tags: ['one', 'two'] }],
      ['c', 3, { tags: ['three'] }],
      ['d', 4],
    ])
    await elsewhere.set('a', 1, { tags: ['one'] })
    await theirs.invalidateTags(['one', 'unheard of'])
    expect([...(await ours.getMany(['a', 'b', 'c', 'd'])).keys()]).toEqual(['c', 'd'])
    expect(await elsewhere.get('a')).toBe(1)
    await ours.set('a', 'again', { tags: ['one', 'one'] })
    expect(await theirs.get('a')).toBe('again')
    await theirs.invalidateTags(['one', 'one'])
    expect(await ours.get('a')).toBeUndefined()
    expect(await ours.add('a', 'added')).toBe(true)
  })

  test('of two transactions at once do not wait, and both count', async () => {
    const cache = bench.cache()
    await cache.invalidateTags(['t'])
    await cache.set('k', 'before', { tags: ['t'] })
    const [one, two] = [await bench.begin(), await bench.begin()]
    await two.query("set local lock_timeout = '50ms'")
    await cache.invalidateTags(['t', 'u'], { client: one })
    await cache.invalidateTags(['u', 't'], { client: two })
    expect(await cache.get('k')).toBe('before')
    await one.query('commit')
    expect(await cache.get('k')).toBeUndefined()
    await cache.set('k', 'between', { tags: ['t'] })
    expect(await cache.get('k')).toBe('between')
    await two.query('commit')
    expect(await cache.get('k')).toBeUndefined()
    await cache.set('k', 'after', { tags: ['t'] })
    expect(await cache.get('k')).toBe('after')
    await cache.invalidateTags(['t'])
    expect(await cache.get('k')).toBeUndefined()
  })

  test('that is rolled back leaves everything as it was', async () => {
    const cache = bench.cache()
    await cache.set('k', 1, { tags: ['t'] })
    const client = await bench.begin()
    await cache.invalidateTags(['t'], { client })
    expect(await cache.get('k', { client })).toBeUndefined()
    await client.query('rollback')
    expect(await cache.get('k')).toBe(1)
  })

  test('never fails for another, at REPEATABLE READ', async () => {
    const cache = bench.cache()
    await cache.invalidateTags(['t'])
    await cache.set('k', 1, { tags: ['t'] })
    const client = await bench.begin('repeatable read')
    await client.query('select from howdah.cache_tag')
    await cache.invalidateTags(['t'])
    await cache.set('k', 2, { tags: ['t'] })
    await cache.invalidateTags(['t'], { client })
    expect(await cache.get('k')).toBe(2)
    await client.query('commit')
    expect(await cache.get('k')).toBeUndefined()
  })
})

describe('a tag that was invalidated long ago', () => {
  const ageTags = (days: number) =>
    bench.pool.query(`update howdah.cache_tag set at = at - $1 * interval '1 day'`, [days])
  const sweep = async () => {
    const [row] = await bench.rows<{ n: number }>('select howdah.cache_sweep() as n')
    return row?.n ?? 0
  }

  test('is forgotten, and what it ended does not come back', async () => {
    await bench.pool.query('delete from howdah.cache_tag')
    const cache = bench.cache()
    await cache.set('old', 1, { tags: ['long ago'] })
    await cache.set('untagged', 1)
    await cache.invalidateTags(['long ago', 'then too'])
    await ageTags(3)
    await cache.invalidateTags(['later'])
    await cache.set('newer', 1, { tags: ['recent'] })
    await cache.invalidateTags(['recent'])
    await ageTags(8)
    await cache.set('newest', 1, { tags: ['recent'] })
    await sweep()
    const live = await cache.getMany(['old', 'newer', 'newest', 'untagged'])
    expect([...live.keys()]).toEqual(['newest', 'untagged'])
    expect(await bench.rows('select from howdah.cache_tag')).toHaveLength(2)
  })

  test('never gives back what was invalidated, whatever the order of events', async () => {
    const step = fc.oneof(
      fc.record({
        kind: fc.constant('set' as const),
        key: fc.constantFrom('a', 'b', 'c', 'd'),
        tags: fc.subarray(['t', 'u', 'v'], { minLength: 1 }),
      }),
      fc.record({
        kind: fc.constant('invalidate' as const),
        tags: fc.subarray(['t', 'u', 'v'], { minLength: 1 }),
      }),
      fc.record({ kind: fc.constant('age' as const), days: fc.integer({ min: 1, max: 9 }) }),
      fc.record({ kind: fc.constant('sweep' as const) }),
    )
    let pruned = 0
    const cache = bench.cache()
    // What a cache sweeps by itself, at its first write and a minute later, is done with.
    await cache.set('first', 1)
    await sweep()
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 15, maxLength: 50, size: 'max' }),
        async (steps) => {
          await bench.pool.query('delete from howdah.cache_tag')
          await cache.clear()
          const valid = new Map<string, readonly string[]>()
          let misses = false
          for (const step of steps) {
            if (step.kind === 'set') {
              await cache.set(step.key, 1, { tags: step.tags })
              valid.set(step.key, step.tags)
              expect(await cache.has(step.key)).toBe(true)
            } else if (step.kind === 'invalidate') {
              await cache.invalidateTags(step.tags)
              for (const [key, tags] of valid) {
                if (tags.some((tag) => step.tags.includes(tag))) valid.delete(key)
              }
            } else if (step.kind === 'age') {
              await ageTags(step.days)
            } else {
              const swept = await sweep()
              pruned += swept
              misses ||= swept > 0
            }
            const live = [...(await cache.getMany(['a', 'b', 'c', 'd'])).keys()]
            if (misses) expect([...valid.keys()]).toEqual(expect.arrayContaining(live))
            else expect(live).toEqual([...valid.keys()].toSorted())
          }
        },
      ),
      { numRuns: 25 },
    )
    expect(pruned).toBeGreaterThan(0)
  })
})
