/**
 * The session advisory locks of one `LISTEN` connection. They end with the connection and cost no write.
 *
 * States of a name: free -> asked for -> held -> free. Invariants
 * - Every lock the server gave is either in `#holds` or about to be given back, so that none is held twice for one name.
 * - Nothing is locked before the connection is known to hear what the pool sends: behind a pooler a lock would stay on a server connection of
 *   others.
 * - The number that names this hub is held by nobody else at the same time.
 */
import { randomBytes } from 'node:crypto'
import type { QueryResultLike } from '../queryable.js'
import { holdKey, identityClass } from './lock-keys.js'

/** Runs one query on the connection. */
export type AskConnection = (text: string, values?: readonly unknown[]) => Promise<QueryResultLike>

/** So many numbers in a row are taken only where something else is wrong. */
const ATTEMPTS = 10

const UNLOCK = 'select pg_advisory_unlock($1::text::bigint)'

/** Locks on one connection. */
export class Locks {
  readonly #schema: string
  readonly #ask: AskConnection
  readonly #holds = new Map<string, Promise<boolean>>()
  #identity: number | undefined

  constructor(schema: string, ask: AskConnection) {
    this.#schema = schema
    this.#ask = ask
  }

  /** The hub's number as `pg_locks` shows it; `undefined` before {@link Locks.identify}. */
  get identity(): string | undefined {
    return this.#identity === undefined ? undefined : String(this.#identity)
  }

  /** Takes a number that nobody has. @throws what the connection fails with */
  async identify(): Promise<void> {
    for (let attempt = 0; this.#identity === undefined && attempt < ATTEMPTS; attempt++) {
      const drawn = randomBytes(4).readUInt32BE()
      const text = 'select pg_try_advisory_lock($1::int, $2::int) as locked'
      const { rows } = await this.#ask(text, [identityClass(this.#schema), drawn | 0])
      if (isLocked(rows)) this.#identity = drawn
    }
  }

  /**
   * Ends the session that an earlier connection of this hub left on the server, which may not know for hours that nobody is there any
   * more and would keep its locks.
   */
  async end(identity: string): Promise<void> {
    await this.#ask(
      `select pg_terminate_backend(pid) as ended from pg_locks
       where locktype = 'advisory' and objsubid = 2 and granted and pid <> pg_backend_pid()
         and database = (select oid from pg_database where datname = current_database())
         and classid = $1::bigint::oid and objid = $2::bigint::oid`,
      [identityClass(this.#schema) >>> 0, Number(identity)],
    )
  }

  /** Answers whether the lock is held now. @throws what the connection fails with */
  tryHold(name: string): Promise<boolean> {
    const known = this.#holds.get(name)
    if (known !== undefined) return known
    const asked = this.#try(name)
    const forget = () => {
      if (this.#holds.get(name) === asked) this.#holds.delete(name)
    }
    this.#holds.set(name, asked)
    asked.then((held) => held || forget(), forget)
    return asked
  }

  /** Gives the lock back, if it is held. @throws what the connection fails with */
  async letGo(name: string): Promise<void> {
    const asked = this.#holds.get(name)
    this.#holds.delete(name)
    if (asked !== undefined && (await asked)) {
      await this.#ask(UNLOCK, [holdKey(this.#schema, name)])
    }
  }

  /** Gives everything back over a session that goes on. @throws what the session fails with */
  async letAllGo(ask: AskConnection): Promise<void> {
    const holds = [...this.#holds]
    this.#holds.clear()
    for (const [name, asked] of holds) {
      if (await asked.catch(() => false)) await ask(UNLOCK, [holdKey(this.#schema, name)])
    }
    const identity = this.#identity
    this.#identity = undefined
    if (identity === undefined) return
    const keys = [identityClass(this.#schema), identity | 0]
    await ask('select pg_advisory_unlock($1::int, $2::int)', keys)
  }

  async #try(name: string): Promise<boolean> {
    const text = 'select pg_try_advisory_lock($1::text::bigint) as locked'
    const { rows } = await this.#ask(text, [holdKey(this.#schema, name)])
    return isLocked(rows)
  }
}

function isLocked(rows: readonly unknown[]): boolean {
  return (rows[0] as { locked?: unknown } | undefined)?.locked === true
}
