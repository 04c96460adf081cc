import type { Database } from '@howdah/core'
import { invalid, type QueueOptions, type ResolvedQueueOptions } from '../options.js'
import type { QueueEngine } from './engine.js'
import { NativeEngine } from './native.js'
import { PgmqEngine } from './pgmq/engine.js'
import { resolvePgmqOptions } from './pgmq/options.js'

/**
 * Makes the engine that the options name.
 *
 * @throws {@link HowdahError} QUEUE_INVALID_OPTION, and QUEUE_UNSUPPORTED for options of what the engine cannot do
 */
export function engineOf<T>(
  db: Database,
  queue: string,
  options: Omit<QueueOptions, 'input' | 'output'>,
  settings: ResolvedQueueOptions<unknown, unknown>['settings'],
): QueueEngine<T> {
  const { engine = 'native' } = options
  const name = typeof engine === 'object' ? engine?.name : engine
  if (name === 'native') return new NativeEngine<T>(db, queue, settings)
  if (name === 'pgmq') return new PgmqEngine<T>(db, queue, resolvePgmqOptions(queue, options))
  throw invalid("engine must be 'native', 'pgmq', or options of pgmq with that name.")
}
