import { randomBytes } from 'node:crypto'
import { quoteName, terminateBackends, withClient, withDatabase } from '../database/admin.js'
import { testkitError } from '../errors.js'

/** Makes the template database, lets the caller fill it, and closes it to all further connections. */
export async function prepareTemplate(
  url: string,
  fill: (url: string) => Promise<void>,
): Promise<string> {
  const name = `howdah_template_${randomBytes(6).toString('hex')}`
  const quoted = quoteName(name)
  await withClient(url, (client) => client.query(`create database ${quoted}`))
  try {
    await fill(withDatabase(url, name))
    await withClient(url, (client) =>
      client.query(`alter database ${quoted} with allow_connections false`),
    )
    // A session left open would make every clone wait and then fail.
    await terminateBackends(url, { database: name })
    return name
  } catch (error) {
    await withClient(url, (client) => client.query(`drop database ${quoted} with (force)`)).catch(
      () => {},
    )
    throw testkitError(
      'TESTKIT_TEMPLATE_FAILED',
      'The template database could not be prepared; see the cause for what the template function did.',
      error,
    )
  }
}
