import { type Duration, parseDuration } from '@howdah/core'

/** Survive two copies of this module in one process, where `instanceof` does not. */
const LATER = Symbol.for('howdah.queue.later')
const DISCARD = Symbol.for('howdah.queue.discard')

/**
 * Thrown by a handler that wants its job to run again after a wait, without an attempt being counted: a service said "not now".
 *
 * @example
 * ```ts
 * import { Queue, RetryLater } from '@howdah/queue'
 * import { Pool } from 'pg'
 *
 * const mails = new Queue<{ to: string }>('mails', { pool: new Pool() })
 * mails.work(async () => {
 *   throw new RetryLater('30s', 'The mail server is busy.')
 * })
 * await mails.close()
 * ```
 */
export class RetryLater extends Error {
  override readonly name = 'RetryLater'
  /** The wait in milliseconds. */
  readonly delayMs: number

  /** @throws {@link HowdahError} CORE_INVALID_DURATION */
  constructor(delay: Duration, reason = 'The handler asked to run later.') {
    super(reason)
    this.delayMs = parseDuration(delay, 'delay')
    Object.defineProperty(this, LATER, { value: true })
  }
}

/**
 * Thrown by a handler whose job is not worth another attempt. It ends as `discarded`: kept in the history, and no dead letter.
 *
 * @example
 * ```ts
 * import { Discard, Queue } from '@howdah/queue'
 * import { Pool } from 'pg'
 *
 * const mails = new Queue<{ to: string }>('mails', { pool: new Pool() })
 * mails.work(async () => {
 *   throw new Discard('The account was deleted.')
 * })
 * await mails.close()
 * ```
 */
export class Discard extends Error {
  override readonly name = 'Discard'

  constructor(reason = 'The handler discarded the job.') {
    super(reason)
    Object.defineProperty(this, DISCARD, { value: true })
  }
}

/** @internal */
export function isRetryLater(error: unknown): error is RetryLater {
  return typeof error === 'object' && error !== null && LATER in error
}

/** @internal */
export function isDiscard(error: unknown): error is Discard {
  return typeof error === 'object' && error !== null && DISCARD in error
}
