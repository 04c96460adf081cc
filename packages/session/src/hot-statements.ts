import { listByUser } from './sql/operators.js'
import { readSession, readSessions } from './sql/read-sessions.js'
import { touchSessions } from './sql/touch-sessions.js'
import { putSessions, saveSessions } from './sql/write-sessions.js'

/** Statements whose plans `howdah doctor` looks at. They are no part of the API, and change from release to release. @internal */
export const hotStatements: {
  readonly putSessions: typeof putSessions
  readonly readSession: typeof readSession
  readonly readSessions: typeof readSessions
  readonly saveSessions: typeof saveSessions
  readonly touchSessions: typeof touchSessions
  readonly listByUser: typeof listByUser
} = { putSessions, readSession, readSessions, saveSessions, touchSessions, listByUser }
