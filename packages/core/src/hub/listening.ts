/**
 * Notifications over a `LISTEN` connection of our own.
 *
 * States: opening -> (fit | unfit | failed); fit -> ended. Invariants
 * - `LISTEN` is never sent through a pooler that was recognised: it would stay behind on a connection that others use.
 * - Queries on the connection follow one another; none is part of a transaction.
 * - A connection that does not answer within the liveness time has ended.
 * - It is asked something at least every five seconds, which is how the server sees that this process lives.
 * - Nothing of it keeps the process alive.
 */
import type { DirectConnection } from '../drivers/driver.js'
import { HowdahError, sqlState } from '../errors.js'
import { ident } from '../ident.js'
import { Loop } from '../loop.js'
import { type AskConnection, Locks } from './locks.js'
import { SelfTest } from './self-test.js'
import type { Transport, TransportContext } from './transport.js'
import { childOf, within } from './wait.js'

/** Why this process cannot listen where it was told to. */
export interface Unfit {
  readonly kind: 'unfit'
  readonly reason: string
  /** Whether trying again is of no use. */
  readonly forGood?: boolean | undefined
  /** Set where the user's configuration is at fault. */
  readonly error?: HowdahError | undefined
}

/**
 * Opens the connection, makes sure that it is one that hears, and listens.
 *
 * @throws what connecting fails with, or CORE_HUB_DISCONNECTED when it is lost meanwhile
 */
export async function openListening(context: TransportContext): Promise<Transport | Unfit> {
  const { db, driver, signal } = context
  const { listen, hub } = db.options
  if (listen === false) return unfit('the option listen is false', { forGood: true })
  const attempt = childOf(signal)
  const opening = driver.connect(listen, attempt.controller.signal)
  const late = `No LISTEN connection was made within ${hub.connectTimeout} ms.`
  const connection = await within(opening, hub.connectTimeout, late, signal)
    .catch((error) => {
      attempt.controller.abort(error)
      throw error
    })
    .finally(attempt.unlink)
  if (connection === undefined) {
    return unfit('this pool gives no way to open a connection of our own', { forGood: true })
  }
  const listening = new Listening(context, connection)
  try {
    const problem = await listening.start(listen === undefined)
    if (problem === undefined) return listening
    await listening.close()
    return problem
  } catch (error) {
    await listening.close()
    throw error
  }
}

/** Far more often than `hub_alive()` takes for a hub that is quiet. */
const MOST_QUIET_MS = 5_000

/**
 * Lets the server find out within half a minute that the machine at our end is gone, rather than in the two hours that are usual: it would
 * keep our locks until then. Not every system knows all of them.
 */
const KEEPALIVES = { idle: '10', interval: '5', count: '4' }

class Listening implements Transport {
  readonly kind = 'listening'
  readonly ended: Promise<unknown>
  readonly #context: TransportContext
  readonly #connection: DirectConnection
  readonly #selfTest: SelfTest
  /** Without an identity until the connection is known to hear. */
  readonly #locks: Locks
  readonly #liveness: Loop
  readonly #stop: AbortController
  readonly #unlink: () => void
  #end: (error: unknown) => void = () => {}
  #aliveAt = Date.now()

  constructor(context: TransportContext, connection: DirectConnection) {
    this.#context = context
    this.#connection = connection
    const { controller, unlink } = childOf(context.signal)
    this.#stop = controller
    this.#unlink = unlink
    this.ended = new Promise((resolve) => {
      this.#end = resolve
    })
    controller.signal.addEventListener('abort', () => this.#end(undefined), { once: true })
    this.#selfTest = new SelfTest(context, () => this.#ask())
    this.#locks = new Locks(context.db.options.schema, (text, values) =>
      this.#query(text, values).catch((error) => {
        // It may have been locked all the same, and then nobody would know.
        if (sqlState(error) === undefined) this.#lose(error)
        throw error
      }),
    )
    this.#liveness = new Loop({
      interval: Math.min(context.db.options.hub.liveness, MOST_QUIET_MS),
      jitter: 0,
      run: async () => this.#checkAlive(),
      onError: (error) => this.#lose(error),
    })
  }

  get lastAliveAt(): number {
    return this.#aliveAt
  }

  get identity(): string | undefined {
    return this.#stop.signal.aborted ? undefined : this.#locks.identity
  }

  get locks(): Locks | undefined {
    return this.identity === undefined ? undefined : this.#locks
  }

  async start(mayBePooled: boolean): Promise<Unfit | undefined> {
    const { driver, channel, onNotification } = this.#context
    this.#connection.unref()
    this.#connection.onLost((error) => this.#lose(error))
    this.#connection.onNotification((on, notification) => {
      if (on !== channel) return
      this.#selfTest.hear(notification)
      onNotification(notification)
    })
    // PGlite answers in this process: there is no pooler, no network and nobody else to be connected to.
    if (driver.kind === 'pglite') {
      await this.#query(`listen ${ident(channel)}`)
      await this.#locks.identify()
      return undefined
    }
    if (mayBePooled && (await this.#isPooled())) {
      return unfit('the pool connects through a pooler; set the option listen to a direct URL')
    }
    await this.#query(`listen ${ident(channel)}`)
    if ((await this.#selfTest.run(this.#stop.signal)) === 'deaf') {
      // Best effort, for a pooler that we were told is none.
      await this.#query(`unlisten ${ident(channel)}`).catch(() => {})
      return deaf()
    }
    if (this.#selfTest.verdict === 'hears') await this.#identify()
    this.#liveness.start()
    return undefined
  }

  async close(): Promise<void> {
    this.#stop.abort(new Error('The hub was closed.'))
    this.#unlink()
    if (this.#context.driver.kind === 'pglite') await this.#unlock()
    await this.#liveness.stop()
    await this.#connection.close()
  }

  /** The session of PGlite goes on without us. */
  async #unlock(): Promise<void> {
    const ask: AskConnection = (text, values = []) =>
      this.#connection.query({ text, values: [...values] })
    await this.#locks.letAllGo(ask).catch(() => {})
  }

  async #checkAlive(): Promise<undefined> {
    await this.#ask()
    if (this.#selfTest.verdict !== 'undecided') return undefined
    const verdict = await this.#selfTest.run(this.#stop.signal)
    if (verdict === 'deaf') throw deaf().error
    if (verdict === 'hears') {
      await this.#identify()
      this.#context.onIdentity()
    }
    return undefined
  }

  async #identify(): Promise<void> {
    const { before } = this.#context
    for (const [name, value] of Object.entries(KEEPALIVES)) {
      await this.#query(`set tcp_keepalives_${name} = ${value}`).catch(ifServerRefused)
    }
    // Only the server can say no: to a role that may not, or for a session that has just ended.
    if (before !== undefined) await this.#locks.end(before).catch(ifServerRefused)
    await this.#locks.identify()
  }

  async #ask(): Promise<void> {
    await this.#query('select 1')
  }

  /** A pooler hands out process ids of its own making, or none. */
  async #isPooled(): Promise<boolean> {
    const { rows } = await this.#query('select pg_backend_pid() as pid')
    return Number(rows[0]?.pid) !== this.#connection.processId
  }

  async #query(text: string, values: readonly unknown[] = []) {
    const limit = this.#context.db.options.hub.liveness
    this.#stop.signal.throwIfAborted()
    const answer = this.#connection.query({ text, values: [...values] })
    const late = `The LISTEN connection did not answer within ${limit} ms.`
    const result = await within(answer, limit, late, this.#stop.signal)
    this.#aliveAt = Date.now()
    return result
  }

  #lose(cause: unknown): void {
    if (this.#stop.signal.aborted) return
    const error =
      cause instanceof HowdahError
        ? cause
        : new HowdahError(
            'CORE_HUB_DISCONNECTED',
            'The LISTEN connection was lost and is being opened anew; messages that were missed are caught up with.',
            { cause },
          )
    this.#end(error)
    this.#stop.abort(error)
  }
}

/** @throws the error, unless it is the server's answer */
function ifServerRefused(error: unknown): void {
  if (sqlState(error) === undefined) throw error
}

function unfit(reason: string, more?: Pick<Unfit, 'forGood' | 'error'>): Unfit {
  return { kind: 'unfit', reason, ...more }
}

function deaf(): Unfit {
  const reason = 'the LISTEN connection does not hear what the pool sends'
  const error = new HowdahError(
    'CORE_HUB_DEAF',
    `Messages are polled for: ${reason}. Check that the option listen names the same server and database as the pool, and no pooler.`,
  )
  return unfit(reason, { error })
}
