import type { Installable } from '../../installed.js'
import { BACKLOG, NAME, type Probe, texts } from './probe.js'

const EVERYTHING = { lows: [-2_147_483_648], seqs: ['0'], highs: [2_147_483_647] }
const NO_ENDS = { done: null, cutLeases: null, cutIds: null, ended: null }

/** A queue of jobs, half of them ready and half to run in an hour. */
export function queueProbe({ hotStatements: hot }: Installable['queue']): Probe {
  return {
    package: 'queue',
    tables: ['queue_job', 'queue_ready', 'queue_scheduled'],
    async *operations(run, schema) {
      const [opened] = await run(hot.openQueue(schema, NAME, '{}'))
      const queue = opened?.id ?? 0
      const payloads = texts(BACKLOG, (n) => `{"n":${n}}`)
      await run(hot.addJobs(schema, queue, payloads, null))
      await run(hot.addJobs(schema, queue, payloads, '{"delay":3600000}'))
      const [entered] = await run(hot.enterWorker(schema, queue, null, 60_000, 'howdah doctor'))
      const worker = entered?.worker ?? '0'
      const claim = { queue, worker, want: 10, alone: false, ranges: EVERYTHING, ...NO_ENDS }
      yield { name: 'adding a job', statement: hot.addJobs(schema, queue, ['{}'], null) }
      yield {
        name: 'claiming 10 jobs',
        statement: hot.take(schema, { ...claim, dueAfter: '-infinity' }),
      }
      const [taken] = await run(hot.take(schema, { ...claim, dueAfter: null }))
      yield {
        name: 'ending 10 jobs and claiming 10 more',
        statement: hot.take(schema, {
          ...claim,
          done: taken?.lease == null ? null : [taken.lease],
          dueAfter: null,
        }),
      }
    },
  }
}
