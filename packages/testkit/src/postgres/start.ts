import { prepareEmbedded } from './embedded.js'
import { prepareExisting } from './existing.js'
import {
  type PostgresOptions,
  type ResolvedPostgresOptions,
  resolvePostgresOptions,
} from './options.js'
import type { ServerProvider } from './provider.js'
import { PostgresServer } from './server.js'
import { prepareTemplate } from './template.js'
import { prepareContainer } from './testcontainers.js'

/**
 * Starts a real PostgreSQL server. It ends with this process at the latest, however this process ends.
 *
 * @throws {@link HowdahError} TESTKIT_INVALID_OPTION when an option is not understood.
 * @throws {@link HowdahError} TESTKIT_NO_BINARIES when there is no server to run and none could be downloaded.
 * @throws {@link HowdahError} TESTKIT_MISSING_PEER when the provider's package is not installed.
 * @throws {@link HowdahError} TESTKIT_START_FAILED when the server did not start; the message holds its log.
 * @throws {@link HowdahError} TESTKIT_DATA_DIR when `dataDir` cannot be used.
 * @throws {@link HowdahError} TESTKIT_TEMPLATE_FAILED when the template function failed.
 *
 * @example
 * ```ts
 * import { startPostgres } from '@howdah/testkit'
 *
 * const server = await startPostgres({ major: 17 })
 * const database = await server.createDatabase()
 * console.log(database.url)
 * await server.close()
 * ```
 */
export async function startPostgres(options: PostgresOptions = {}): Promise<PostgresServer> {
  const resolved = resolvePostgresOptions(options)
  const provider = await prepare(resolved)
  try {
    await provider.start()
    const { template, role } = resolved
    const name = template && (await prepareTemplate(provider.url, template))
    return new PostgresServer(provider, name, role)
  } catch (error) {
    await provider.close().catch(() => {})
    throw error
  }
}

function prepare(options: ResolvedPostgresOptions): Promise<ServerProvider> {
  if (options.provider === 'testcontainers') return prepareContainer(options)
  if (options.url !== undefined) return prepareExisting(options.url, options.major)
  return prepareEmbedded(options)
}
