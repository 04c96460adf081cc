import { append } from './sql/append-messages.js'
import { openGroup } from './sql/open-group.js'
import { openStream } from './sql/open-stream.js'
import { readStream } from './sql/read-stream.js'
import { settleShared, takeShared } from './sql/shared-group.js'

/** Statements whose plans `howdah doctor` looks at. They are no part of the API, and change from release to release. @internal */
export const hotStatements: {
  readonly openStream: typeof openStream
  readonly append: typeof append
  readonly readStream: typeof readStream
  readonly openGroup: typeof openGroup
  readonly takeShared: typeof takeShared
  readonly settleShared: typeof settleShared
} = { openStream, append, readStream, openGroup, takeShared, settleShared }
