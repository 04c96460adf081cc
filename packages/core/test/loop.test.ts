import fc from 'fast-check'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Loop } from '../src/index.js'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  if (vi.isFakeTimers()) expect(vi.getTimerCount()).toBe(0)
  vi.useRealTimers()
})

test('start() runs a round at once, then one after each interval', async () => {
  const run = vi.fn(async () => undefined)
  const loop = new Loop({ run, interval: 100, jitter: 0 })
  loop.start()
  loop.start()
  await vi.advanceTimersByTimeAsync(0)
  expect(run).toHaveBeenCalledTimes(1)
  await vi.advanceTimersByTimeAsync(99)
  expect(run).toHaveBeenCalledTimes(1)
  await vi.advanceTimersByTimeAsync(1)
  expect(run).toHaveBeenCalledTimes(2)
  await loop.stop()
})

test('a round chooses the wait before the next', async () => {
  const run = vi.fn().mockResolvedValueOnce('1s').mockResolvedValue(undefined)
  const loop = new Loop({ run, interval: 10, jitter: 0 })
  loop.start()
  await vi.advanceTimersByTimeAsync(999)
  expect(run).toHaveBeenCalledTimes(1)
  await vi.advanceTimersByTimeAsync(1)
  expect(run).toHaveBeenCalledTimes(2)
  await loop.stop()
})

test('an interval longer than a timer can be does not make it run without a pause', async () => {
  const run = vi.fn(async () => undefined)
  const loop = new Loop({ run, interval: '60d', jitter: 0 })
  loop.start()
  await vi.advanceTimersByTimeAsync(1000)
  expect(run).toHaveBeenCalledTimes(1)
  await loop.stop()
})

test('a failed round is reported and followed by another, also when the listener throws', async () => {
  const warning = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
  const onError = vi.fn(() => {
    throw new Error('of the listener')
  })
  const run = vi.fn().mockRejectedValueOnce(new Error('of the round')).mockResolvedValue(undefined)
  const loop = new Loop({ run, interval: '1h', onError, backoff: { initial: 50, max: 50 } })
  loop.start()
  await vi.advanceTimersByTimeAsync(50)
  expect(onError).toHaveBeenCalledExactlyOnceWith(
    expect.objectContaining({ message: 'of the round' }),
  )
  expect(warning).toHaveBeenCalledOnce()
  expect(run).toHaveBeenCalledTimes(2)
  await loop.stop()
  warning.mockRestore()
})

test('stop() aborts the round under way, waits for its end and reports no error of it', async () => {
  const onError = vi.fn()
  let ended = false
  const run = (signal: AbortSignal) =>
    new Promise<undefined>((_, reject) => {
      signal.addEventListener('abort', () => {
        queueMicrotask(() => {
          ended = true
          reject(signal.reason)
        })
      })
    })
  const loop = new Loop({ run, interval: 10, onError })
  loop.start()
  await vi.advanceTimersByTimeAsync(0)
  await loop.stop()
  expect([ended, loop.running]).toEqual([true, false])
  expect(onError).not.toHaveBeenCalled()
})

test('a loop that waits does not keep the process alive unless told to', async () => {
  vi.useRealTimers()
  const timers = () =>
    process.getActiveResourcesInfo().filter((resource) => resource === 'Timeout').length
  for (const keepAlive of [false, true]) {
    const before = timers()
    const loop = new Loop({ run: async () => undefined, interval: '1h', keepAlive })
    loop.start()
    await new Promise(setImmediate)
    expect(timers() - before).toBe(keepAlive ? 1 : 0)
    await loop.stop()
    expect(timers()).toBe(before)
  }
})

test.each([-0.1, 1.1, Number.NaN])('refuses a jitter of %f', (jitter) => {
  expect(() => new Loop({ run: async () => undefined, interval: 1, jitter })).toThrow(
    expect.objectContaining({ code: 'CORE_INVALID_OPTION' }),
  )
})

type Step = { kind: 'start' | 'wake' | 'stop' } | { kind: 'pass'; ms: number }
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constantFrom('start' as const, 'wake' as const, 'stop' as const) }),
  fc.record({ kind: fc.constant('pass' as const), ms: fc.nat(120) }),
)

test('in any order of calls rounds never overlap, no wake is lost and stop leaves no timer', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 30 }),
      fc.infiniteStream(fc.record({ ms: fc.nat(80), fails: fc.boolean() })),
      async (steps, rounds) => {
        let running = 0
        let overlaps = 0
        let unseen = false
        const run = async () => {
          if (++running > 1) overlaps++
          unseen = false
          const { ms, fails } = rounds.next().value as { ms: number; fails: boolean }
          await new Promise((resolve) => setTimeout(resolve, ms))
          running--
          if (fails) throw new Error('round')
          return undefined
        }
        const loop = new Loop({ run, interval: '1h', backoff: { initial: '1h', max: '1h' } })
        const stops: Promise<void>[] = []
        for (const { kind, ...rest } of steps) {
          if (kind === 'start') loop.start()
          else if (kind === 'stop') stops.push(loop.stop())
          else if (kind === 'pass') await vi.advanceTimersByTimeAsync((rest as { ms: number }).ms)
          else {
            unseen = loop.running
            loop.wake()
          }
          if (kind === 'stop') unseen = false
        }
        // Rounds last at most 80 ms and waits an hour: what was woken must have begun by then.
        await vi.advanceTimersByTimeAsync(200)
        expect(overlaps).toBe(0)
        expect(unseen).toBe(false)
        await Promise.all([...stops, loop.stop()])
        expect(running).toBe(0)
        expect(vi.getTimerCount()).toBe(0)
      },
    ),
    { numRuns: 200 },
  )
})
