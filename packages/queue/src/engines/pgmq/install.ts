import type { Database } from '@howdah/core'
import { queueError } from '../../errors.js'
import type { ResolvedPgmqOptions } from './options.js'
import { createPartitioned, createQueue, knownQueues, lookForPgmq } from './statements.js'

/**
 * Makes the queues that are not there. pgmq itself is the operator's to install.
 *
 * @throws {@link HowdahError} QUEUE_EXTENSION_MISSING
 */
export async function installQueues(db: Database, options: ResolvedPgmqOptions): Promise<void> {
  const [found] = await db.query(lookForPgmq(db.schema))
  if (found?.schema !== true) {
    throw missing(
      found?.available === true
        ? 'This database has no pgmq, but the server offers it: create extension pgmq.'
        : 'This database has no pgmq. Install the extension or its SQL, or use the engine native.',
    )
  }
  if (!found.batches) {
    throw missing(
      `pgmq ${found.version ?? 'here'} is older than 1.5, whose headers we need: alter extension pgmq update.`,
    )
  }
  if (options.partitioned !== undefined && !found.partman) {
    throw missing(
      'Partitioned queues need the extension pg_partman, which this database does not have.',
    )
  }
  const wanted = [...options.levels.map(({ queue }) => queue), options.dead]
  const known = new Set((await db.query(knownQueues(db.schema, wanted))).map(({ name }) => name))
  for (const queue of wanted) {
    if (known.has(queue)) continue
    const { partitioned, unlogged } = options
    await db.query(
      partitioned === undefined || queue === options.dead
        ? createQueue(db.schema, queue, unlogged && queue !== options.dead)
        : createPartitioned(db.schema, queue, partitioned.interval, partitioned.retention),
    )
  }
}

function missing(message: string): Error {
  return queueError('QUEUE_EXTENSION_MISSING', message)
}
