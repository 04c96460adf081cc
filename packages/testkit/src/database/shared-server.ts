import type { DatabaseRole } from '../postgres/options.js'

/** The environment variable through which a run's server reaches every test process. */
export const SERVER_VARIABLE = 'HOWDAH_TESTKIT_SERVER'

/** What a test process must know to make databases on a server it did not start. */
export interface SharedServer {
  readonly url: string
  readonly template?: string | undefined
  readonly role?: DatabaseRole | undefined
  readonly major: number
}

/** Reads what `PostgresServer.share()` left in the environment. */
export function sharedServer(): SharedServer | undefined {
  const text = process.env[SERVER_VARIABLE]
  return text === undefined || text === '' ? undefined : (JSON.parse(text) as SharedServer)
}
