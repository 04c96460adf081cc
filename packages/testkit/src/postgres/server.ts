import { randomBytes } from 'node:crypto'
import {
  type BackendFilter,
  quoteName,
  quoteRole,
  terminateBackends,
  withClient,
  withDatabase,
  withRole,
} from '../database/admin.js'
import { SERVER_VARIABLE, type SharedServer } from '../database/shared-server.js'
import { TestDatabase } from '../database/test-database.js'
import { testkitError } from '../errors.js'
import type { DatabaseRole } from './options.js'
import type { ServerProvider } from './provider.js'

/**
 * A PostgreSQL server for tests and demos, made by `startPostgres()`.
 *
 * States: running, frozen, stopped, closed. Operations that change the state wait for one another, so they can be
 * called from anywhere; the port and the data outlive everything but {@link PostgresServer.close}.
 */
export class PostgresServer {
  readonly #provider: ServerProvider
  readonly #template: string | undefined
  readonly #role: DatabaseRole | undefined
  #frozen = false
  #closed = false
  #turn: Promise<unknown> = Promise.resolve()

  /** Made by `startPostgres()`. @internal */
  constructor(provider: ServerProvider, template?: string, role?: DatabaseRole) {
    this.#provider = provider
    this.#template = template
    this.#role = role
  }

  /** Connection string of the maintenance database, with a role that may do everything the provider allows. */
  get url(): string {
    return this.#provider.url
  }

  /** The TCP port, the same before and after a restart. */
  get port(): number {
    return Number(new URL(this.#provider.url).port || 5432)
  }

  /** Its major version. */
  get major(): number {
    return this.#provider.major
  }

  /** Tells whether the server process is there, be it frozen. */
  get running(): boolean {
    return !this.#closed && this.#provider.running
  }

  /** Returns the end of the server's log; empty where the provider cannot tell. */
  log(): string {
    return this.#provider.log()
  }

  /**
   * Clones the template into a new database.
   *
   * @throws {@link HowdahError} TESTKIT_INVALID_OPTION when `name` cannot be the name of a database.
   * @throws {@link HowdahError} TESTKIT_NOT_RUNNING when the server is stopped or frozen.
   */
  async createDatabase(
    options: { readonly name?: string | undefined } = {},
  ): Promise<TestDatabase> {
    this.#assertServing()
    return await createTestDatabase(this.#shared(), options.name)
  }

  /** Ends the sessions that match every condition given, and returns how many it ended. */
  async terminateBackends(filter: BackendFilter = {}): Promise<number> {
    this.#assertServing()
    return await terminateBackends(this.url, filter)
  }

  /** Ends the server and its sessions in an orderly way; the data stays. */
  async stop(): Promise<void> {
    await this.#change(() => this.#provider.stop())
    this.#frozen = false
  }

  /** Sends SIGKILL to the server and to all its processes, as a crash does; the data stays. */
  async kill(): Promise<void> {
    await this.#change(() => this.#provider.kill())
    this.#frozen = false
  }

  /** Starts a stopped or killed server on the same port; does nothing when it runs. */
  async start(): Promise<void> {
    await this.#change(async () => {
      if (!this.#provider.running) await this.#provider.start()
    })
  }

  /** Stops the server if it runs, and starts it on the same port. */
  async restart(): Promise<void> {
    await this.#change(async () => {
      if (this.#provider.running) await this.#provider.stop()
      await this.#provider.start()
      this.#frozen = false
    })
  }

  /**
   * Halts all processes of the server: connections stay open and nothing answers.
   *
   * @throws {@link HowdahError} TESTKIT_NOT_RUNNING when the server is stopped.
   */
  async freeze(): Promise<void> {
    await this.#change(async () => {
      if (!this.#provider.running) throw notRunning('start() it first')
      await this.#provider.freeze()
      this.#frozen = true
    })
  }

  /** Lets a frozen server go on; does nothing when it is not frozen. */
  async thaw(): Promise<void> {
    await this.#change(async () => {
      if (this.#frozen) await this.#provider.thaw()
      this.#frozen = false
    })
  }

  /** Makes this server the one that `testDatabase()` uses, in this process and in those it starts from now on. */
  share(): void {
    process.env[SERVER_VARIABLE] = JSON.stringify(this.#shared())
  }

  /** Ends the server and removes all it made. Kept data (`dataDir`) stays. */
  async close(): Promise<void> {
    const before = this.#turn
    if (this.#closed) {
      await before
      return
    }
    this.#closed = true
    this.#turn = before.then(
      () => this.#end(),
      () => this.#end(),
    )
    await this.#turn
  }

  /** The same as {@link PostgresServer.close}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #end(): Promise<void> {
    const shared = JSON.stringify(this.#shared())
    if (process.env[SERVER_VARIABLE] === shared) delete process.env[SERVER_VARIABLE]
    const template = this.#template
    if (template !== undefined && this.#provider.outlivesUs) {
      await withClient(this.url, (client) =>
        client.query(`drop database if exists ${quoteName(template)} with (force)`),
      )
    }
    await this.#provider.close()
  }

  #shared(): SharedServer {
    return { url: this.url, template: this.#template, role: this.#role, major: this.major }
  }

  #assertServing(): void {
    if (this.#closed) throw closed()
    if (!this.#provider.running) throw notRunning('start() it first')
    if (this.#frozen) throw notRunning('thaw() it first')
  }

  #change<T>(operation: () => Promise<T>): Promise<T> {
    if (this.#closed) return Promise.reject(closed())
    const result = this.#turn.then(operation, operation)
    this.#turn = result.catch(() => {})
    return result
  }
}

/** Clones the shared template. */
export async function createTestDatabase(
  server: SharedServer,
  name = `test_${randomBytes(8).toString('hex')}`,
  onGone: () => Promise<void> = async () => {},
): Promise<TestDatabase> {
  const template = server.template ?? 'template1'
  const { role } = server
  const owner = role === undefined ? '' : ` owner ${quoteRole(role.name)}`
  await withClient(server.url, (client) =>
    client.query(`create database ${quoteName(name)} template ${quoteName(template)}${owner}`),
  )
  const adminUrl = withDatabase(server.url, name)
  return new TestDatabase({
    url: role === undefined ? adminUrl : withRole(adminUrl, role),
    adminUrl,
    name,
    serverUrl: server.url,
    onGone,
  })
}

function closed(): Error {
  return testkitError('TESTKIT_CLOSED', 'This server was closed; start a new one.')
}

function notRunning(advice: string): Error {
  return testkitError('TESTKIT_NOT_RUNNING', `The server does not answer now; ${advice}.`)
}
