import { testkitError } from '../errors.js'
import type { ResolvedPostgresOptions } from './options.js'
import type { ServerProvider } from './provider.js'

/** The part of a started `@testcontainers/postgresql` container we use. */
interface StartedContainer {
  getHost(): string
  getMappedPort(port: number): number
  getUsername(): string
  getPassword(): string
  getDatabase(): string
  stop(): Promise<unknown>
}

interface Container {
  withDatabase(name: string): Container
  withCommand(command: string[]): Container
  start(): Promise<StartedContainer>
}

interface ContainerModule {
  PostgreSqlContainer: new (image: string) => Container
}

/** A server in a container that Docker runs; testcontainers removes it when we end. */
export async function prepareContainer(options: ResolvedPostgresOptions): Promise<ServerProvider> {
  const { PostgreSqlContainer } = await load()
  const major = options.major ?? 18
  const settings = {
    ...(options.durable ? {} : { fsync: 'off', full_page_writes: 'off' }),
    max_connections: '200',
    ...options.settings,
  }
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  let started: StartedContainer
  try {
    started = await new PostgreSqlContainer(`postgres:${major}`)
      .withDatabase('postgres')
      .withCommand(['postgres', ...flags])
      .start()
  } catch (error) {
    throw testkitError(
      'TESTKIT_START_FAILED',
      `No container with postgres:${major} could be started; check that Docker runs, or use provider 'embedded'.`,
      error,
    )
  }
  const user = encodeURIComponent(started.getUsername())
  const password = encodeURIComponent(started.getPassword())
  const address = `${started.getHost()}:${started.getMappedPort(5432)}`
  let running = true
  const refuse = (what: string) => (): Promise<never> =>
    Promise.reject(
      testkitError(
        'TESTKIT_UNSUPPORTED',
        `We cannot ${what} a server in a container and keep its port; use provider 'embedded'.`,
      ),
    )
  return {
    major,
    url: `postgres://${user}:${password}@${address}/${started.getDatabase()}`,
    get running() {
      return running
    },
    outlivesUs: false,
    log: () => '',
    start: async () => {},
    stop: refuse('stop'),
    kill: refuse('kill'),
    freeze: refuse('freeze'),
    thaw: refuse('thaw'),
    close: async () => {
      running = false
      await started.stop()
    },
  }
}

async function load(): Promise<ContainerModule> {
  // A name the compiler cannot see, so that its types are not needed where the package is not installed.
  const name: string = '@testcontainers/postgresql'
  try {
    return (await import(name)) as ContainerModule
  } catch (error) {
    throw testkitError(
      'TESTKIT_MISSING_PEER',
      `provider 'testcontainers' needs a package: npm install --save-dev ${name}@11.14.0`,
      error,
    )
  }
}
