import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { compileFilter } from '../src/gateway/filter.js'
import { TokenBucket } from '../src/gateway/token-bucket.js'

const passes = (filter: unknown, message: unknown) => compileFilter(filter)(message)
const invalid = expect.objectContaining({ code: 'PUBSUB_INVALID_FILTER' })

describe('a filter', () => {
  test('compares fields', () => {
    const order = { total: 120, country: 'CZ', paid: true, note: null, by: { name: 'Ann', age: 7 } }
    for (const yes of [
      {},
      { country: 'CZ' },
      { note: null },
      { country: 'CZ', total: 120 },
      { 'by.name': 'Ann' },
      { total: { gt: 100, lte: 120 } },
      { 'by.name': { gte: 'Ann', lt: 'Bob' } },
      { country: { in: ['CZ', 'SK'] } },
      { note: { exists: true }, gone: { exists: false } },
      { or: [{ country: 'DE' }, { paid: true }] },
      { not: { country: 'DE' } },
      { and: [{ paid: true }, { or: [{ total: 1 }, { not: { total: 1 } }] }] },
    ]) {
      expect(passes(yes, order), JSON.stringify(yes)).toBe(true)
      expect(passes({ not: yes }, order), JSON.stringify(yes)).toBe(false)
    }
    for (const no of [
      { country: 'DE' },
      { total: '120' },
      { total: { gt: '1' } },
      { country: { gt: 1 } },
      { by: 'Ann' },
      { 'by.name.length': 3 },
      { 'country.length': 2 },
      { or: [] },
      { country: { in: [] } },
      { total: { gt: 100, lt: 120 } },
    ]) {
      expect(passes(no, order), JSON.stringify(no)).toBe(false)
    }
  })

  test('looks at own properties only, in any message', () => {
    for (const path of [
      '__proto__',
      'constructor',
      'toString',
      '__proto__.x',
      'constructor.name',
    ]) {
      for (const message of [{}, [], 'text', 7, null, undefined, true]) {
        expect(passes({ [path]: { exists: true } }, message)).toBe(false)
      }
    }
    const message = JSON.parse('{"__proto__": {"x": 1}}')
    expect(passes(JSON.parse('{"__proto__.x": 1}'), message)).toBe(true)
    expect(passes(JSON.parse('{"__proto__": {"exists": true}}'), message)).toBe(true)
  })

  test('is refused when it is none, too large or too deep', () => {
    const deep = (levels: number): unknown => (levels === 0 ? {} : { not: deep(levels - 1) })
    for (const bad of [
      null,
      7,
      'x',
      [],
      { x: undefined },
      { x: {} },
      { x: { like: 'y' } },
      { x: { __proto__: null, constructor: 1 } },
      { x: { in: 'y' } },
      { x: { in: [{}] } },
      { x: { gt: true } },
      { x: { exists: 1 } },
      { x: [1] },
      { and: {} },
      { or: [1] },
      { not: [] },
      { '': 1 },
      { x: 'y'.repeat(1001) },
      { [Array.from({ length: 11 }, () => 'x').join('.')]: 1 },
      { x: { in: Array.from({ length: 101 }, (_, n) => n) } },
      Object.fromEntries(Array.from({ length: 101 }, (_, n) => [`f${n}`, n])),
      deep(8),
      deep(100),
    ]) {
      expect(() => compileFilter(bad), JSON.stringify(bad)).toThrow(invalid)
    }
    expect(passes(deep(6), {})).toBe(true)
  })

  test('means what logic says, for any filter and message', () => {
    const names = fc.constantFrom('a', 'b', '__proto__', 'c.d')
    const values = fc.constantFrom<unknown>(0, 1, 'x', 'y', null, true)
    const leaf = fc.oneof(
      fc.tuple(names, values).map(([name, value]) => Object.fromEntries([[name, value]])),
      fc
        .tuple(names, fc.constantFrom('gt', 'lte'), fc.constantFrom(0, 1, 'x'))
        .map(([name, op, value]) => Object.fromEntries([[name, { [op]: value }]])),
      fc
        .tuple(names, fc.array(values))
        .map(([name, list]) => Object.fromEntries([[name, { in: list }]])),
    )
    const { filter } = fc.letrec<{ filter: unknown }>((tie) => ({
      filter: fc.oneof(
        { maxDepth: 3 },
        leaf,
        fc.record({ and: fc.array(tie('filter'), { maxLength: 3 }) }),
        fc.record({ or: fc.array(tie('filter'), { maxLength: 3 }) }),
        fc.record({ not: tie('filter') }),
      ),
    }))
    const message = fc.oneof(fc.jsonValue(), fc.dictionary(fc.constantFrom('a', 'b', 'c'), values))
    fc.assert(
      fc.property(filter, filter, message, (p, q, m) => {
        expect(passes({ not: p }, m)).toBe(!passes(p, m))
        expect(passes({ and: [p, q] }, m)).toBe(passes(p, m) && passes(q, m))
        expect(passes({ not: { or: [p, q] } }, m)).toBe(
          passes({ and: [{ not: p }, { not: q }] }, m),
        )
      }),
    )
  })
})

describe('a token bucket', () => {
  test('gives its burst, and what was earned since', () => {
    let now = 0
    const bucket = new TokenBucket({ burst: 3, perSecond: 2 }, () => now)
    const take = (times: number) => Array.from({ length: times }, () => bucket.take())
    expect(take(4)).toEqual([true, true, true, false])
    now = 499
    expect(take(1)).toEqual([false])
    now = 500
    expect(take(2)).toEqual([true, false])
    now = 1_000_000
    expect(take(4)).toEqual([true, true, true, false])
  })
})
