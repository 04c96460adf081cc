import { addJobs } from './sql/add-jobs.js'
import { openQueue } from './sql/open-queue.js'
import { take } from './sql/take.js'
import { enterWorker } from './sql/workers.js'

/** Statements whose plans `howdah doctor` looks at. They are no part of the API, and change from release to release. @internal */
export const hotStatements: {
  readonly openQueue: typeof openQueue
  readonly addJobs: typeof addJobs
  readonly enterWorker: typeof enterWorker
  readonly take: typeof take
} = { openQueue, addJobs, enterWorker, take }
