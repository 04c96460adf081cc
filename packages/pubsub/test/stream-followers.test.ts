import { describe, expect, test } from 'vitest'
import { TwoProcesses } from './two-processes.js'

const bench = new TwoProcesses()

describe('batches()', () => {
  test('bring every follower to the end, whenever he joins and whoever else reads', async () => {
    const [writes, reads] = [bench.pubSub(0), bench.pubSub(1)]
    for (let round = 0; round < 25; round++) {
      const name = bench.fresh()
      const stream = writes.stream<number>(name)
      await stream.append(1)
      const stops: AbortController[] = []
      const reached: number[] = []
      const following: Promise<void>[] = []
      const follow = async (after: number) => {
        const at = reached.push(after) - 1
        const stop = new AbortController()
        stops.push(stop)
        const { signal } = stop
        const batches = reads.stream<number>(name).batches({ after, limit: 100, signal })
        for await (const { messages } of batches) {
          for (const { offset } of messages) {
            expect(offset).toBe((reached[at] as number) + 1)
            reached[at] = offset
          }
        }
      }
      for (let n = 2; n <= 60; n++) {
        await stream.append(n)
        // Some continue where another one is, some read what is long over, at a moment when news is on its way.
        const last = Math.max(0, ...reached)
        if (n % 2 === 0) following.push(follow(last), follow(last >> 1))
      }
      // Nothing is appended any more that could wake who sleeps.
      await expect
        .poll(() => reached.filter((offset) => offset !== 60), { interval: 5, timeout: 10_000 })
        .toEqual([])
      for (const stop of stops) stop.abort()
      await Promise.all(following)
    }
  })
})
