import { expect, test } from 'vitest'
import { median, percentile, ratio, spread } from '../src/measure/statistics.js'

test('median() is the middle value, or lies between the two middle ones, and leaves its input alone', () => {
  const values = [9, 1, 5]
  expect(median(values)).toBe(5)
  expect(values).toEqual([9, 1, 5])
  expect(median([10, 2, 9, 1])).toBe(5.5)
  expect(median([7])).toBe(7)
  expect(() => median([])).toThrow('nothing')
})

test('percentile() is a value that was measured', () => {
  const sorted = Array.from({ length: 200 }, (_, n) => n + 1)
  expect(percentile(sorted, 0.5)).toBe(100)
  expect(percentile(sorted, 0.99)).toBe(198)
  expect(percentile([3], 0.99)).toBe(3)
  expect(() => percentile([], 0.5)).toThrow('nothing')
})

test('spread() holds the median and the ends', () => {
  expect(spread([4, 2, 9])).toEqual({ median: 4, min: 2, max: 9 })
})

test('ratio() divides within each round, so a slow round of both sides does not count', () => {
  expect(ratio([40, 4, 44], [10, 1, 10])).toEqual({ median: 4, min: 4, max: 4.4 })
  expect(() => ratio([1], [1, 2])).toThrow('equally many')
})
