import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Cache, CacheOptions } from '../src/index.js'
import { asRead, KEYS, key, Model, minutes, type Settings, settings, tags, value } from './model.js'
import { Bench } from './support.js'

const bench = new Bench()

const MINUTE = 60_000

interface Side {
  readonly cache: Cache
  readonly model: Model
  readonly namespace: string
  readonly table: string
}

/** Runs one step on the cache and on the model, and compares what they answer. */
type Step = (side: Side) => Promise<void>

const ttl = (minutes: number | null) => (minutes === null ? null : minutes * MINUTE)
const options = ({ minutes, tags }: Settings) => ({ ttl: ttl(minutes), tags })
const coded = (promise: Promise<unknown>) =>
  promise.catch((error: { code?: string }) => error.code ?? error)

async function sameTime({ cache, model }: Side, name: string) {
  const left = await cache.ttl(name)
  const expected = model.entries.get(name)?.minutes
  if (typeof expected !== 'number') return expect(left).toBe(expected)
  expect(left).toBeLessThanOrEqual(expected * MINUTE)
  expect(left).toBeGreaterThan((expected - 4) * MINUTE)
}

async function swap({ cache, model }: Side, name: string, next: unknown, by: Settings) {
  const before = await cache.entry(name)
  expect(before?.value).toEqual(model.entries.get(name)?.value)
  expect(await cache.compareAndSet(name, '1', 'never', {})).toBeUndefined()
  const version = await cache.compareAndSet(name, before?.version, next, options(by))
  expect(version).toMatch(/^\d+$/)
  expect(version).not.toBe(before?.version)
  model.set(name, next, by)
  if (before === undefined) {
    expect(await cache.compareAndSet(name, undefined, 'never', {})).toBeUndefined()
  } else {
    expect(await cache.compareAndSet(name, before.version, 'never', {})).toBeUndefined()
  }
  expect(await cache.entry(name)).toMatchObject({ version })
}

/** Steps whose calls keep the order of the program, so that they need not wait for one another. */
const ordered: fc.Arbitrary<Step> = fc.oneof(
  key.map<Step>((k) => async ({ cache, model }) => {
    const expected = model.entries.get(k)?.value
    expect(await cache.get(k)).toEqual(expected)
  }),
  key.map<Step>((k) => async ({ cache, model }) => {
    const expected = model.entries.has(k)
    expect(await cache.has(k)).toBe(expected)
  }),
  fc.array(key, { maxLength: 8 }).map<Step>((keys) => async ({ cache, model }) => {
    const held = [...new Set(keys)].filter((k) => model.entries.has(k))
    const expected = held.map((k) => [k, model.entries.get(k)?.value])
    expect([...(await cache.getMany(keys))]).toEqual(expected)
  }),
  fc.tuple(key, value, settings).map<Step>(([k, v, by]) => async ({ cache, model }) => {
    model.set(k, v, by)
    expect(await cache.set(k, v, options(by))).toBeUndefined()
  }),
  fc
    .array(fc.tuple(key, value, settings), { maxLength: 8 })
    .map<Step>((writes) => async ({ cache, model }) => {
      for (const [k, v, by] of writes) model.set(k, v, by)
      await cache.setMany(writes.map(([k, v, by]) => [k, v, options(by)] as const))
    }),
  fc.tuple(key, value, settings).map<Step>(([k, v, by]) => async ({ cache, model }) => {
    const expected = model.add(k, v, by)
    expect(await cache.add(k, v, options(by))).toBe(expected)
  }),
  fc.tuple(key, value, settings).map<Step>(([k, v, by]) => async ({ cache, model }) => {
    const expected = model.replace(k, v, by)
    expect(await cache.replace(k, v, options(by))).toBe(expected)
  }),
  fc.tuple(key, value, settings).map<Step>(([k, v, by]) => async ({ cache, model }) => {
    const expected = model.add(k, v, by)
    expect((await cache.compareAndSet(k, undefined, v, options(by))) !== undefined).toBe(expected)
  }),
  key.map<Step>((k) => async ({ cache, model }) => {
    const expected = model.entries.delete(k)
    expect(await cache.delete(k)).toBe(expected)
  }),
  fc.array(key, { maxLength: 5 }).map<Step>((keys) => async ({ cache, model }) => {
    const expected = keys.filter((k) => model.entries.delete(k)).length
    expect(await cache.deleteMany(keys)).toBe(expected)
  }),
  fc
    .tuple(key, fc.integer({ min: -999, max: 999 }), minutes)
    .map<Step>(([k, by, left]) => async ({ cache, model }) => {
      const expected = model.increment(k, by, left)
      expect(await coded(cache.increment(k, by, { ttl: ttl(left) }))).toBe(expected)
    }),
  fc
    .tuple(key, fc.integer({ min: -999, max: 999 }), minutes)
    .map<Step>(([k, by, left]) => async ({ cache, model }) => {
      const expected = model.increment(k, -by, left)
      expect(await coded(cache.decrement(k, by, { ttl: ttl(left) }))).toBe(expected)
    }),
)

/** Steps that wait for what came before them. */
const alone: fc.Arbitrary<Step> = fc.oneof(
  fc.tuple(key, minutes).map<Step>(([k, left]) => async ({ cache, model }) => {
    expect(await cache.touch(k, ttl(left))).toBe(model.touch(k, left))
  }),
  key.map<Step>((k) => (side) => sameTime(side, k)),
  fc.tuple(key, value, settings).map<Step>(
    ([k, v, by]) =>
      (side) =>
        swap(side, k, v, by),
  ),
  fc.tuple(key, value, settings).map<Step>(([k, v, by]) => async ({ cache, model }) => {
    const cached = model.entries.has(k)
    if (!cached) model.set(k, v, by)
    const expected = cached ? model.entries.get(k)?.value : v
    expect(await cache.getOrSet(k, () => v, options(by))).toEqual(expected)
  }),
  tags.map<Step>((names) => async ({ cache, model }) => {
    await cache.invalidateTags(names)
    model.invalidate(names)
  }),
  fc.constantFrom(10, 20).map<Step>((past) => async ({ model, namespace, table }) => {
    await bench.age(namespace, `${past} minutes`, table)
    model.age(past)
  }),
  fc.constant<Step>(async ({ cache, model }) => {
    await cache.clear()
    model.entries.clear()
  }),
  fc.constant<Step>(async ({ model, cache }) => {
    const found = new Map<string, unknown>()
    for await (const [k, v] of cache.entries()) found.set(k, v)
    const keys: string[] = []
    for await (const k of cache.keys()) keys.push(k)
    const held = [...model.entries].map(([k, { value }]) => [k, value] as const)
    expect(found).toEqual(new Map(held))
    expect(keys.toSorted()).toEqual([...model.entries.keys()].toSorted())
  }),
)

const codec = {
  encode: (v: unknown) =>
    v instanceof Uint8Array ? Buffer.concat([Buffer.from('!'), v]) : `?${String(v)}\0\ud800`,
  decode: (text: string | Uint8Array) =>
    typeof text === 'string' ? text.slice(1, -2) : Buffer.from(text.subarray(1)),
}
/** The codec above knows only these. */
const codecValue = (v: unknown) => (v instanceof Uint8Array ? Buffer.from(v) : String(v))

const CONFIGURATIONS: [string, Partial<CacheOptions>][] = [
  ['as it comes', {}],
  ['compressed', { compress: { above: 40 } }],
  ['logged', { durability: 'logged' }],
]

function sideOf(given: Partial<CacheOptions>, suffix = ''): Side {
  const namespace = bench.fresh() + suffix
  const table = given.durability === 'logged' ? 'cache_entry_logged' : 'cache_entry'
  return { cache: bench.cache({ ...given, namespace }), model: new Model(), namespace, table }
}

describe.each(CONFIGURATIONS)('a cache %s', (_name, given) => {
  test('does what a map with times and tags would do', async () => {
    const run = async (steps: Step[]) => {
      const side = sideOf(given)
      for (const step of steps) await step(side)
    }
    const steps = fc.array(fc.oneof({ weight: 3, arbitrary: ordered }, alone), {
      minLength: 10,
      maxLength: 50,
      size: 'max',
    })
    await fc.assert(fc.asyncProperty(steps, run), { numRuns: 25 })
  })

  test('does so also where a process does not wait for its calls', async () => {
    const steps = fc.array(ordered, { minLength: 10, maxLength: 100, size: 'max' })
    await fc.assert(
      fc.asyncProperty(steps, async (all) => {
        const side = sideOf(given)
        await side.cache.has('first') // so that all go the same way
        await Promise.all(all.map((step) => step(side)))
      }),
      { numRuns: 25 },
    )
  })
})

test('namespaces that look alike do not meet, nor do their parts', async () => {
  const names = ['a_b', 'axb', 'a%b', 'a:b', 'a', 'A_b', 'a_b:c']
  const step = fc.tuple(fc.nat({ max: names.length - 1 }), fc.oneof(ordered, alone))
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 60, size: 'max' }), async (all) => {
      const prefix = bench.fresh()
      const sides = names.map((name): Side => {
        const namespace = `${prefix}${name}`
        return {
          cache: bench.cache({ namespace }),
          model: new Model(),
          namespace,
          table: 'cache_entry',
        }
      })
      for (const [at, run] of all) await run(sides[at] as Side)
      const [parent, part] = [sides[4], sides[3]] as [Side, Side]
      const child = parent.cache.namespace('b')
      expect(child.name).toBe(part.namespace)
      await child.set('own', 1)
      await parent.cache.clear()
      expect(await part.cache.get('own')).toBe(1)
      await child.close()
    }),
    { numRuns: 8 },
  )
})

test('a codec sees every value and nothing else', async () => {
  const entry = fc.tuple(
    fc.constantFrom(...KEYS),
    fc.oneof(fc.string({ unit: 'binary' }), fc.uint8Array(), fc.integer(), fc.constant(null)),
  )
  await fc.assert(
    fc.asyncProperty(fc.array(entry, { maxLength: 15 }), async (entries) => {
      const cache = bench.cache({ codec, compress: { above: 20 } })
      await cache.setMany(entries)
      const expected = new Map(entries.map(([k, v]) => [k, codecValue(v)]))
      expect(await cache.getMany(expected.keys())).toEqual(expected)
      const [first] = entries
      if (first === undefined) return
      const loaded = await cache.getOrSet(first[0], () => 'not called')
      expect(loaded).toEqual(expected.get(first[0]))
      await expect(cache.increment(first[0])).rejects.toMatchObject({
        code: 'CACHE_INVALID_COUNTER',
      })
      expect(await cache.increment('counter of its own')).toBe(1)
      expect(await cache.get('counter of its own')).toBe(1)
    }),
    { numRuns: 20 },
  )
})

test('values come back as they were, whatever their type', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(key, value), { maxLength: 20 }), async (entries) => {
      const cache = bench.cache({ compress: { above: 100 } })
      await cache.setMany(entries)
      for (const [k, v] of new Map(entries)) {
        expect(await cache.has(k)).toBe(true)
        expect(await cache.get(k)).toStrictEqual(asRead(v))
      }
    }),
    { numRuns: 20 },
  )
})
