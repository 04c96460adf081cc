import { expect, test } from 'vitest'
import { fitQuick, interleave, measureRound, type Round } from '../src/measure/rounds.js'

const round: Round = { perSecond: 1, p50Ms: 1, p99Ms: 1, clientMicros: 1, serverMicros: 1 }

test('interleave() warms up every contender, then measures them in turns', async () => {
  const order: string[] = []
  const contenders = ['A', 'B', 'C'].map((name) => ({ name, call: async () => {} }))
  const plan = { rounds: 3, roundMs: 20, warmUpMs: 5, callers: 2 }
  const results = await interleave(
    contenders,
    plan,
    async () => 0,
    async ({ name }, _, ms) => {
      order.push(`${name}${ms}`)
      return round
    },
  )
  expect(order.join(' ')).toBe('A5 B5 C5 A20 B20 C20 A20 B20 C20 A20 B20 C20')
  expect(results).toEqual(Array(3).fill(Array(3).fill(round)))
})

test('measureRound() keeps that many callers busy and counts the operations of all', async () => {
  let under = 0
  let most = 0
  const seen = new Set<number>()
  let seconds = 10
  const measured = await measureRound(
    {
      name: 'A',
      async call(at) {
        most = Math.max(most, ++under)
        seen.add(at)
        await new Promise((resolve) => setImmediate(resolve))
        under--
      },
    },
    8,
    30,
    async () => seconds++,
  )
  expect(most).toBe(8)
  // Every call got a number of its own, from 0 without gaps.
  expect(Math.max(...seen)).toBe(seen.size - 1)
  expect(measured.serverMicros).toBe(1e6 / seen.size)
  expect(measured.perSecond).toBeGreaterThan(0)
  expect(measured.p99Ms).toBeGreaterThanOrEqual(measured.p50Ms)
})

test('measureRound() says so when the CPU of a server cannot be seen, and fails with its contender', async () => {
  const contender = { name: 'A', call: async () => {} }
  const measured = await measureRound(contender, 1, 1, async () => undefined)
  expect(measured.serverMicros).toBeUndefined()
  const wrong = { name: 'B', call: () => Promise.reject(new Error('wrong value')) }
  await expect(measureRound(wrong, 2, 1, async () => 0)).rejects.toThrow('wrong value')
})

test('fitQuick() keeps short rounds and shortens those of a large suite to half a minute in all', () => {
  expect(fitQuick({ rounds: 3, roundMs: 700 }, 8)).toEqual({
    rounds: 3,
    roundMs: 700,
    warmUpMs: 350,
  })
  for (const [rounds, contenders] of [
    [3, 28],
    [50, 8],
  ] as const) {
    const { roundMs, warmUpMs } = fitQuick({ rounds, roundMs: 700 }, contenders)
    const total = contenders * (rounds * roundMs + warmUpMs)
    expect(total).toBeLessThanOrEqual(30_000 + contenders)
    expect(total).toBeGreaterThan(25_000)
  }
})
