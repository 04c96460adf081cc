import { Backoff, isHowdahError, sqlState } from '@howdah/core'

/** Connection, transaction state (a standby), serialisation, resources, locks, shutdown, system. */
const PASSES = /^(?:08|25|40|53|55|57|58)/

/** Tells whether an error speaks of a server that is away or busy, and not of what was asked. */
export function passes(error: unknown): boolean {
  const state = sqlState(error)
  if (state !== undefined) return PASSES.test(state)
  return !isHowdahError(error)
}

/**
 * Tries again for as long as the server is away, with full jitter. Answers `undefined` when it is over before that.
 *
 * @param over - ends the tries
 * @param wait - waits, or ends early when it is over
 * @throws what another try would not mend
 */
export async function throughOutages<T>(
  attempt: () => Promise<T>,
  over: () => boolean,
  wait: (ms: number) => Promise<void>,
  onError: (error: unknown) => void,
): Promise<T | undefined> {
  const backoff = new Backoff({ initial: 50, max: 5_000 })
  while (!over()) {
    try {
      return await attempt()
    } catch (error) {
      if (!passes(error)) throw error
      if (!over()) onError(error)
    }
    await wait(backoff.next())
  }
  return undefined
}
