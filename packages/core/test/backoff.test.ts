import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Backoff, type BackoffOptions } from '../src/index.js'

const options = fc
  .record({
    initial: fc.integer({ min: 1, max: 10_000 }),
    more: fc.nat(1_000_000),
    factor: fc.double({ min: 1, max: 10, noNaN: true }),
  })
  .map(({ initial, more, factor }) => ({ initial, max: initial + more, factor }))

test('next() stays between zero and an end that grows by the factor up to the longest delay', () => {
  fc.assert(
    fc.property(options, fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }), (o, r) => {
      const drawn = new Backoff({ ...o, random: () => r })
      const longest = new Backoff({ ...o, random: () => 1 })
      let end = o.initial
      for (let step = 0; step < 20; step++) {
        expect(longest.next()).toBe(Math.round(end))
        const delay = drawn.next()
        expect(delay).toBe(Math.round(r * end))
        end = Math.min(o.max, end * o.factor)
      }
      longest.reset()
      expect(longest.next()).toBe(o.initial)
    }),
  )
})

test('next() draws over the whole range, so that clients part', () => {
  const backoff = new Backoff({ initial: '1s', max: '1s' })
  const delays = Array.from({ length: 2000 }, () => backoff.next())
  expect(Math.min(...delays)).toBeLessThan(100)
  expect(Math.max(...delays)).toBeGreaterThan(900)
})

test.each<[BackoffOptions, string]>([
  [{ initial: 0 }, 'CORE_INVALID_DURATION'],
  [{ initial: '2s', max: '1s' }, 'CORE_INVALID_DURATION'],
  [{ factor: 0.5 }, 'CORE_INVALID_OPTION'],
  [{ factor: Number.NaN }, 'CORE_INVALID_OPTION'],
  [{ factor: Number.POSITIVE_INFINITY }, 'CORE_INVALID_OPTION'],
])('refuses %j', (options, code) => {
  expect(() => new Backoff(options)).toThrow(expect.objectContaining({ code }))
})
