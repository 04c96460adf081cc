import { randomBytes } from 'node:crypto'
import type { TransactionHandle } from '../clients/resolve.js'
import type { Database } from '../database.js'
import { coreMigrations } from '../migrations/core-migrations.js'
import { hubSend } from '../sql/hub-send.js'
import { pack } from './envelope.js'
import type { EncodedMessage } from './message.js'

/** Sends messages of this process, as one statement a call. */
export class Sender {
  readonly #db: Database
  readonly #channel: string
  #seq = 0
  #sends = 0
  readonly #nextSeq = () => ++this.#seq
  /** Names this process's hub in envelopes; with the number of the envelope it makes each of them unique. */
  readonly hubId: string = randomBytes(9).toString('base64url')

  constructor(db: Database, channel: string) {
    this.#db = db
    this.#channel = channel
  }

  /** Statements sent so far. */
  get sends(): number {
    return this.#sends
  }

  /**
   * Sends the messages in one statement: all of them or none.
   *
   * @throws {@link HowdahError} CORE_MIGRATION_REQUIRED when the hub's tables are not there, as without them a message would not
   * reach processes that poll
   */
  async send(messages: readonly EncodedMessage[], client?: TransactionHandle): Promise<void> {
    await this.#db.migrator.ensure(coreMigrations)
    this.#sends++
    const notifications = pack(this.hubId, this.#nextSeq, messages)
    await this.#db.query(hubSend(this.#db.schema, this.#channel, notifications), client)
  }
}
