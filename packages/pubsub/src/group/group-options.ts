import { type Duration, parseDuration, type Transaction } from '@howdah/core'
import type { After, StreamMessage } from '../stream/batch.js'
import { type Discontinuity, invalid, text, whole } from '../stream/options.js'

/**
 * How a group shares a stream out.
 *
 * - `'ordered'`: messages of one key are done one after another, in their order, each in a transaction that also moves the group on. What the handler
 *   writes with `tx` takes effect exactly once. Messages without a key count as of one key.
 * - `'shared'`: any member takes any message, and several at a time, at least once each.
 */
export type GroupMode = 'ordered' | 'shared'

/** Options of {@link Stream.group}. */
export interface GroupOptions {
  readonly mode: GroupMode
  /** Where a group begins that is new. @defaultValue `'latest'` */
  readonly start?: After | undefined
  /** How many keys an ordered group does at the same time, at most, over all processes; fixed when it is made. @defaultValue `8` */
  readonly partitions?: number | undefined
  /** How long a member that is not heard of keeps what it holds. @defaultValue `'30s'` */
  readonly lease?: Duration | undefined
  /** How often a message is tried before it becomes a dead letter. @defaultValue `5` */
  readonly maxAttempts?: number | undefined
  /** Wait before the first retry; it doubles with each, up to a minute. @defaultValue `'1s'` */
  readonly backoff?: Duration | undefined
  /** Called where messages are gone that the group had not done. Without it, the PubSub's `error` event tells; the group goes on. */
  readonly onDiscontinuity?: ((place: Discontinuity) => void | Promise<void>) | undefined
}

/** Options of {@link ConsumerGroup.consume}. */
export interface ConsumeOptions {
  /** Messages of a shared group that are done at the same time. @defaultValue `10` */
  readonly concurrency?: number | undefined
  /** Messages of an ordered group that share one transaction, at most: more a second, and one that fails repeats those before it. @defaultValue `1` */
  readonly transactionSize?: number | undefined
}

/** What a handler is told beside the message. */
export interface Delivery {
  /** Counts from 1. After a crash a shared message may have been tried once more than was counted as failed. */
  readonly attempt: number
  /** Aborted when the message is no longer ours: the lease was lost, or the consumer is closing and has waited long enough. */
  readonly signal: AbortSignal
}

/** What a handler of a shared group is told. */
export interface SharedDelivery extends Delivery {
  /**
   * Has the message come again this long from the end of the handler, in place of the group's backoff or although the handler succeeds. It counts as one of
   * the message's attempts.
   */
  retryAfter(delay: Duration): void
}

/** What a handler of an ordered group is told. */
export interface OrderedDelivery extends Delivery {
  /** Commits together with the group's place, when the handler ends. */
  readonly tx: Transaction
}

/** Does a message. What it throws is a failure, and the message is tried again. */
export type GroupHandler<T, D extends Delivery = OrderedDelivery> = (
  message: StreamMessage<T>,
  delivery: D,
) => unknown

/** {@link GroupOptions} checked. */
export interface ResolvedGroupOptions {
  readonly mode: GroupMode
  readonly start: After
  readonly partitions: number
  readonly leaseMs: number
  readonly maxAttempts: number
  readonly backoffMs: number
  readonly onDiscontinuity: GroupOptions['onDiscontinuity']
}

const LONGEST_BACKOFF_MS = 60_000

/** @throws {@link HowdahError} PUBSUB_INVALID_OPTION */
export function resolveGroupName(name: string): string {
  return text("A group's name", name, 200)
}

/** @throws {@link HowdahError} PUBSUB_INVALID_OPTION, CORE_INVALID_DURATION */
export function resolveGroupOptions(options: GroupOptions): ResolvedGroupOptions {
  const { mode, start = 'latest', onDiscontinuity } = options ?? {}
  if (mode !== 'ordered' && mode !== 'shared') {
    throw invalid("mode must be 'ordered' or 'shared'.")
  }
  if (onDiscontinuity !== undefined && typeof onDiscontinuity !== 'function') {
    throw invalid('onDiscontinuity must be a function.')
  }
  return Object.freeze({
    mode,
    start,
    partitions: whole('partitions', options.partitions ?? 8, 1, 1000),
    leaseMs: parseDuration(options.lease ?? '30s', 'lease', { min: 100 }),
    maxAttempts: whole('maxAttempts', options.maxAttempts ?? 5, 1, 1000),
    backoffMs: parseDuration(options.backoff ?? '1s', 'backoff', { min: 1 }),
    onDiscontinuity,
  })
}

/** @throws {@link HowdahError} PUBSUB_INVALID_OPTION */
export function resolveConsumeOptions(options: ConsumeOptions): {
  readonly concurrency: number
  readonly transactionSize: number
} {
  return {
    concurrency: whole('concurrency', options.concurrency ?? 10, 1, 10_000),
    transactionSize: whole('transactionSize', options.transactionSize ?? 1, 1, 10_000),
  }
}

/** Wait before another try: between half of a time that doubles, and all of it. */
export function retryDelay(backoffMs: number, attempts: number): number {
  const full = Math.min(LONGEST_BACKOFF_MS, backoffMs * 2 ** Math.min(30, attempts - 1))
  return full * (0.5 + Math.random() / 2)
}
