import pg from 'pg'
import { testkitError } from '../errors.js'
import type { ServerProvider } from './provider.js'

/** A server that runs already: databases come and go on it, its life is not ours. */
export async function prepareExisting(
  url: string,
  wanted: number | undefined,
): Promise<ServerProvider> {
  const client = new pg.Client({ connectionString: url })
  client.on('error', () => {})
  let major: number
  try {
    await client.connect()
    const { rows } = await client.query<{ version: string }>(
      "select current_setting('server_version_num') as version",
    )
    major = Math.floor(Number(rows[0]?.version) / 10_000)
  } catch (error) {
    throw testkitError(
      'TESTKIT_START_FAILED',
      'The server at the given url does not answer; check that it runs and that user and password are right.',
      error,
    )
  } finally {
    await client.end().catch(() => {})
  }
  if (wanted !== undefined && wanted !== major) {
    throw testkitError(
      'TESTKIT_START_FAILED',
      `The server at the given url is PostgreSQL ${major}, not ${wanted}; leave major out or name another server.`,
    )
  }
  const refuse = (what: string) => (): Promise<never> =>
    Promise.reject(
      testkitError(
        'TESTKIT_UNSUPPORTED',
        `We cannot ${what} a server that we did not start; use provider 'embedded'.`,
      ),
    )
  return {
    major,
    url,
    running: true,
    outlivesUs: true,
    log: () => '',
    start: async () => {},
    stop: refuse('stop'),
    kill: refuse('kill'),
    freeze: refuse('freeze'),
    thaw: refuse('thaw'),
    close: async () => {},
  }
}
