import { setTimeout as later } from 'node:timers/promises'
import { type Duration, parseDuration } from '@howdah/core'
import { testkitError } from './errors.js'

/** How {@link waitFor} waits. */
export interface WaitForOptions {
  /** When to give up. @defaultValue `'10s'` */
  readonly timeout?: Duration | undefined
  /** The pause between two looks. @defaultValue `'10ms'` */
  readonly interval?: Duration | undefined
  /** What is waited for, for the error: "the job is done". */
  readonly message?: string | undefined
}

/**
 * Looks again and again until `condition` returns something truthy, and returns that. A condition that throws counts
 * as not met.
 *
 * @throws {@link HowdahError} TESTKIT_TIMEOUT when the time is over, with what `condition` threw last as its cause.
 *
 * @example
 * ```ts
 * import { waitFor } from '@howdah/testkit'
 * import { Pool } from 'pg'
 *
 * const pool = new Pool()
 * const row = await waitFor(async () => (await pool.query('select * from job where done')).rows[0], {
 *   message: 'the job is done',
 * })
 * ```
 */
export async function waitFor<T>(
  condition: () => T | Promise<T>,
  options: WaitForOptions = {},
): Promise<Exclude<T, false | null | undefined | 0 | ''>> {
  const timeout = parseDuration(options.timeout ?? '10s')
  const interval = parseDuration(options.interval ?? '10ms')
  const deadline = performance.now() + timeout
  for (;;) {
    let failure: unknown
    try {
      const value = await condition()
      if (value) return value as Exclude<T, false | null | undefined | 0 | ''>
    } catch (error) {
      failure = error
    }
    if (performance.now() >= deadline) {
      const what = options.message ?? 'the condition'
      throw testkitError('TESTKIT_TIMEOUT', `Waited ${timeout} ms in vain for: ${what}.`, failure)
    }
    await later(interval)
  }
}
