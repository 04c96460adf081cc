import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Duration, type DurationUnit, parseDuration } from '../src/index.js'

const MS: Record<DurationUnit, number> = { ms: 1, s: 1e3, m: 6e4, h: 36e5, d: 864e5 }
const invalid = expect.objectContaining({ code: 'CORE_INVALID_DURATION' })

test.each<[Duration, number]>([
  [0, 0],
  [1.5, 2],
  ['0s', 0],
  ['250ms', 250],
  ['1.5h', 5_400_000],
  ['0.5ms', 1],
  ['7d', 604_800_000],
])('parseDuration() reads %j as %i milliseconds', (duration, ms) => {
  expect(parseDuration(duration)).toBe(ms)
})

test('parseDuration() multiplies any amount by its unit', () => {
  const unit = fc.constantFrom<DurationUnit>('ms', 's', 'm', 'h', 'd')
  fc.assert(
    fc.property(fc.nat(3_000_000), unit, (amount, unit) => {
      expect(parseDuration(`${amount}${unit}`)).toBe(amount * MS[unit])
    }),
  )
})

test('parseDuration() reads a string only when it is a number with a unit', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      fc.pre(!/^\d+(\.\d+)?(ms|s|m|h|d)$/.test(text))
      expect(() => parseDuration(text as Duration)).toThrow(invalid)
    }),
  )
})

test.each([
  '',
  's',
  '5',
  '5 s',
  ' 5s',
  '5s\n',
  '-5s',
  '+5s',
  '1e3s',
  '5S',
  '.5s',
  '5.s',
  '0x5s',
  '٥s',
  '5s; drop table x',
  `${'9'.repeat(400)}d`,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  -1,
  1e300,
  null,
  undefined,
  true,
  5n,
  Symbol('5s'),
  {},
  [5],
  Object.create(null),
  new Date(5),
])('parseDuration() refuses %s and names the option', (value) => {
  expect(() => parseDuration(value as Duration, 'lease')).toThrow(invalid)
  expect(() => parseDuration(value as Duration, 'lease')).toThrow(/^lease must /)
})

test('parseDuration() refuses exactly what lies outside the bounds', () => {
  fc.assert(
    fc.property(fc.nat(1000), fc.nat(1000), fc.nat(1000), (value, a, b) => {
      const bounds = { min: Math.min(a, b), max: Math.max(a, b) }
      const parse = () => parseDuration(value, 'x', bounds)
      if (value < bounds.min || value > bounds.max) expect(parse).toThrow(invalid)
      else expect(parse()).toBe(value)
    }),
  )
})
