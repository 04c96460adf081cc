import { type Duration, parseDuration } from '@howdah/core'
import { invalid, type QueueOptions, whole } from '../../options.js'
import { unsupported } from '../engine.js'

/** Options of the engine `pgmq`. */
export interface PgmqOptions {
  readonly name: 'pgmq'
  /** Levels of priority that jobs may have; each is a queue of pgmq's own, and `0` is always one. @defaultValue `[0]` */
  readonly priorities?: readonly number[] | undefined
  /** Moves jobs that ended into pgmq's archive; else they are deleted. @defaultValue `false` */
  readonly archive?: boolean | undefined
  /** Creates the queue UNLOGGED: faster, and empty after a crash. @defaultValue `false` */
  readonly unlogged?: boolean | undefined
  /**
   * Lets a worker that has nothing to do wait in the server for so long (`pgmq.read_with_poll`), with a connection of the pool: from one to
   * four seconds. Not with several priorities. @defaultValue it looks again after a pause that grows to `pollInterval`
   */
  readonly longPoll?: Duration | undefined
  /**
   * Deletes jobs as they are read (`pgmq.pop`): one whose handler fails, or whose worker dies or closes, is gone. @defaultValue `false`
   */
  readonly atMostOnce?: boolean | undefined
  /** Creates the queue partitioned, by pg_partman: intervals as `pgmq.create_partitioned` takes them. */
  readonly partitioned?: { readonly interval: string; readonly retention: string } | undefined
}

/** {@link PgmqOptions} checked. */
export interface ResolvedPgmqOptions {
  /** Highest first. */
  readonly levels: readonly Level[]
  readonly dead: string
  readonly archive: boolean
  readonly unlogged: boolean
  readonly atMostOnce: boolean
  /** Whole seconds; 0 for none. */
  readonly longPollSeconds: number
  readonly partitioned: { readonly interval: string; readonly retention: string } | undefined
  readonly attempts: number
  readonly maxCrashes: number
  readonly backoffMs: number
  readonly maxBackoffMs: number
}

/** One priority, and the pgmq queue that keeps its jobs. */
export interface Level {
  readonly priority: number
  readonly queue: string
}

/** pgmq makes table names of it, in lower case, and adds to them. */
const NAME = /^[a-z_][a-z0-9_]{0,37}$/
const KNOWN = ['name', 'priorities', 'archive', 'unlogged', 'atMostOnce', 'longPoll', 'partitioned']

/** @throws {@link HowdahError} QUEUE_INVALID_OPTION, and QUEUE_UNSUPPORTED for what the engine cannot do */
export function resolvePgmqOptions(
  queue: string,
  options: Omit<QueueOptions, 'input' | 'output'>,
): ResolvedPgmqOptions {
  const engine = typeof options.engine === 'object' ? options.engine : { name: 'pgmq' as const }
  const { priorities = [0], archive = false, unlogged = false, partitioned } = engine
  const { atMostOnce = false, longPoll } = engine
  const strange = Object.keys(engine).find((key) => !KNOWN.includes(key))
  if (strange !== undefined) throw invalid(`The engine pgmq has no option ${strange}.`)
  if (!NAME.test(queue)) {
    throw invalid(
      'With the engine pgmq, a queue’s name is 1 to 38 characters of a-z, 0-9 and _, and begins with no digit.',
    )
  }
  if (options.concurrency != null) throw unsupported('pgmq', 'limit over all processes')
  if (options.rate != null) throw unsupported('pgmq', 'rate')
  if (options.groups != null) throw unsupported('pgmq', 'groups')
  if (options.keep !== undefined) throw unsupported('pgmq', 'retention (keep)')
  if (unlogged && partitioned !== undefined)
    throw invalid('Give unlogged or partitioned, not both.')
  if (partitioned !== undefined) {
    const { interval, retention } = partitioned
    if (typeof interval !== 'string' || typeof retention !== 'string') {
      throw invalid('partitioned must have an interval and a retention, as text.')
    }
  }
  if (atMostOnce && archive) throw invalid('Give atMostOnce or archive, not both.')
  const levels = [...new Set([0, ...priorities])].map((priority) => ({
    priority: whole('engine.priorities', priority, -99, 99),
    queue: levelName(queue, priority),
  }))
  if (longPoll !== undefined && levels.length > 1) {
    throw invalid('longPoll waits for one queue: leave it out, or priorities.')
  }
  return Object.freeze({
    levels: levels.sort((a, b) => b.priority - a.priority),
    dead: `${queue}_dead`,
    archive,
    unlogged,
    atMostOnce,
    longPollSeconds:
      longPoll === undefined
        ? 0
        : Math.ceil(parseDuration(longPoll, 'longPoll', { min: 1000, max: 4000 }) / 1000),
    partitioned,
    attempts: options.attempts ?? 5,
    maxCrashes: options.maxCrashes ?? 3,
    backoffMs: parseDuration(options.backoff ?? '1s', 'backoff', { min: 1 }),
    maxBackoffMs: parseDuration(options.maxBackoff ?? '1h', 'maxBackoff', { min: 1 }),
  })
}

function levelName(queue: string, priority: number): string {
  if (priority === 0) return queue
  return `${queue}_${priority > 0 ? 'p' : 'm'}${Math.abs(priority)}`
}
