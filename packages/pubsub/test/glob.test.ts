import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, onTestFinished, test } from 'vitest'
import { matches, parseGlob } from '../src/channel/glob.js'
import { PatternIndex } from '../src/channel/pattern-index.js'
import { askRedis, freePort } from './redis.js'

const REDIS = '/usr/bin/redis-server'

/** What Redis does, tried in every way and without care for time. */
function reference(pattern: readonly string[], name: readonly string[]): boolean {
  const [first, ...rest] = pattern
  if (first === undefined) return name.length === 0
  if (first === '*') {
    return reference(rest, name) || (name.length > 0 && reference(pattern, name.slice(1)))
  }
  if (name.length === 0) return false
  const [character, ...left] = name as [string, ...string[]]
  if (first === '?') return reference(rest, left)
  if (first === '\\' && rest.length > 0) {
    return rest[0] === character && reference(rest.slice(1), left)
  }
  if (first !== '[') return first === character && reference(rest, left)
  let members = rest
  let found = false
  const negated = members[0] === '^'
  if (negated) members = members.slice(1)
  while (members.length > 0 && members[0] !== ']') {
    if (members[0] === '\\' && members.length >= 2) {
      found ||= members[1] === character
      members = members.slice(2)
    } else if (members[1] === '-' && members.length >= 3) {
      const [low, high] = [members[0] as string, members[2] as string].toSorted()
      found ||= (low as string) <= character && character <= (high as string)
      members = members.slice(3)
    } else {
      found ||= members[0] === character
      members = members.slice(1)
    }
  }
  return found !== negated && reference(members.slice(1), left)
}

const letters = fc.constantFrom('a', 'b', 'c', '-', ']', '^')
const names = fc.string({ unit: letters, minLength: 1, maxLength: 8 })
const patterns = fc.string({
  unit: fc.oneof(letters, fc.constantFrom('*', '?', '[', '\\', '[a-b]', '[^a]', '\\*', '*a*')),
  minLength: 1,
  maxLength: 8,
})

test('a name matches where every way of trying says so', () => {
  fc.assert(
    fc.property(patterns, names, (pattern, name) => {
      expect(matches(parseGlob(pattern), name)).toBe(reference([...pattern], [...name]))
    }),
    { numRuns: 5000 },
  )
})

test.each([
  ['news:*', 'news:', true],
  ['h?llo', 'hello', true],
  ['h?llo', 'hllo', false],
  ['h[ae]llo', 'hillo', false],
  ['h[^e]llo', 'hallo', true],
  ['h[b-a]llo', 'hallo', true],
  ['\\*', '*', true],
  ['\\*', 'x', false],
  ['a\\', 'a\\', true],
  ['[]', 'x', false],
  ['[^]', 'x', true],
  ['[abc', 'c', true],
  ['?', '😀', true],
  ['[😀-😂]', '😁', true],
  ['*😀', '😀😀', true],
  ['*', '\0', true],
  ['(a+)+$', '(a+)+$', true],
])('%s against %s', (pattern, name, expected) => {
  expect(matches(parseGlob(pattern), name)).toBe(expected)
})

test('no pattern takes more steps than the name has characters times its own', () => {
  const start = performance.now()
  expect(matches(parseGlob(`${'*a'.repeat(400)}*b`), 'a'.repeat(20_000))).toBe(false)
  expect(performance.now() - start).toBeLessThan(5_000)
})

describe('an index of patterns', () => {
  test('finds what matches, and nothing that was removed', () => {
    const steps = fc.array(fc.record({ pattern: patterns, keep: fc.boolean() }), { maxLength: 20 })
    fc.assert(
      fc.property(steps, names, (added, name) => {
        const index = new PatternIndex<string>()
        const removes = added.map(({ pattern }) => index.add(parseGlob(pattern), pattern))
        added.forEach(({ keep }, at) => {
          if (!keep) removes[at]?.()
        })
        const kept = added.filter(({ keep }) => keep).map(({ pattern }) => pattern)
        const expected = kept.filter((pattern) => matches(parseGlob(pattern), name))
        expect(index.find(name).toSorted()).toEqual(expected.toSorted())
      }),
    )
  })

  test('tries only the patterns that begin as the name does, of however many', () => {
    const index = new PatternIndex<number>()
    for (let n = 0; n < 10_000; n++) index.add(parseGlob(`room:${n}:*`), n)
    const start = performance.now()
    for (let n = 0; n < 10_000; n++) expect(index.find(`room:${n}:message`)).toEqual([n])
    // Trying them all would be a hundred million matches.
    expect(performance.now() - start).toBeLessThan(5_000)
  })
})

test.skipIf(!existsSync(REDIS))('Redis itself says the same', async () => {
  const port = await freePort()
  const server: ChildProcess = spawn(REDIS, ['--port', String(port), '--save', ''], {
    stdio: 'ignore',
  })
  onTestFinished(() => {
    server.kill('SIGKILL')
  })
  const cases = fc.sample(fc.tuple(patterns, names), 400)
  const answers = await askRedis(port, cases)
  for (const [at, [pattern, name]] of cases.entries()) {
    expect([pattern, name, matches(parseGlob(pattern), name)]).toEqual([pattern, name, answers[at]])
  }
})
