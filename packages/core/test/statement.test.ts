import fc from 'fast-check'
import { expect, test, vi } from 'vitest'
import { defineStatement, statementName } from '../src/index.js'

test('defineStatement() renders its text once for each schema', () => {
  const text = vi.fn((s: string) => `select * from ${s}.entry where id = $1::int`)
  const find = defineStatement<[id: number]>('test.find', text, (id) => [id])
  const first = find('"a"', 1)
  const second = find('"a"', 2)
  const other = find('"b"', 1)
  expect(text.mock.calls).toEqual([['"a"'], ['"b"']])
  expect([first.text, first.values]).toEqual(['select * from "a".entry where id = $1::int', [1]])
  expect([second.name, second.values]).toEqual([first.name, [2]])
  expect(other.name).not.toBe(first.name)
})

test('defineStatement() takes schemas with names of object properties', () => {
  const find = defineStatement<[]>(
    'test.find',
    (s) => `select from ${s}.entry`,
    () => [],
  )
  for (const schema of ['__proto__', 'constructor', 'toString']) {
    expect(find(schema).text).toBe(`select from ${schema}.entry`)
  }
})

test('statementName() gives different texts different names that the server keeps whole', () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), fc.string(), (label, a, b) => {
      const name = statementName(label, a)
      expect(name).toBe(statementName(label, a))
      expect(name.startsWith('howdah.')).toBe(true)
      expect(Buffer.byteLength(name)).toBeLessThanOrEqual(63)
      if (a !== b) expect(statementName(label, b)).not.toBe(name)
    }),
  )
})
