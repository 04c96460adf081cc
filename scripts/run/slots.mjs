import { availableParallelism } from 'node:os'

/** Returns a function that runs work, as many pieces at a time as there are processors. */
export function slots() {
  /** @type {((value?: unknown) => void)[]} */
  const waiting = []
  let free = Math.max(2, availableParallelism())

  /**
   * @template T
   * @param {() => Promise<T>} work
   * @returns {Promise<T>}
   */
  async function inSlot(work) {
    if (free > 0) free -= 1
    else await new Promise((resolve) => waiting.push(resolve))
    try {
      return await work()
    } finally {
      // The slot goes from hand to hand while somebody waits.
      const next = waiting.shift()
      if (next) next()
      else free += 1
    }
  }
  return inSlot
}
