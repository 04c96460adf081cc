/**
 * What a PubSub publishes.
 *
 * Invariants
 * - The messages of a channel reach the hub in the order of the calls: while one is being spilled, later ones of its channel wait for their turn, and
 *   those of other channels do not. The hub keeps the order from there.
 * - In a transaction nothing is told before the commit; in one of ours it is told right after it, for a NOTIFY inside a writing transaction makes
 *   its commit wait for every other such commit of the whole server.
 */
import {
  type Address,
  type Database,
  HowdahError,
  Transaction,
  type TransactionHandle,
} from '@howdah/core'
import type { Destination } from './form.js'
import type { Spill } from './spill.js'

/** Of messages that wait for their turn, no more than this is held, unless it is a single one. */
const WAITING_BYTES = 256 * 1024 * 1024
const WAITING_MESSAGES = 100_000

/** A message that is to go out. */
export interface Outgoing {
  readonly to: Destination
  /** JSON, or bytes that nobody changes. */
  readonly body: string | Buffer
  readonly bytes: number
}

type Ready = readonly [address: Address, json: string]

export class Publisher {
  readonly #db: Database
  readonly #spill: Spill
  readonly #onError: (error: unknown) => void
  /** By channel, when the last message that waits has had its turn. */
  readonly #turns = new Map<string, Promise<void>>()
  #waiting = 0
  #waitingBytes = 0

  constructor(db: Database, spill: Spill, onError: (error: unknown) => void) {
    this.#db = db
    this.#spill = spill
    this.#onError = onError
  }

  /** Sends JSON that fits a message of the hub whatever its characters take, in the least time. */
  sendInline(to: Destination, json: string): Promise<void> {
    if (this.#turns.size === 0) return this.#db.hub.sendJson(to.json, json)
    return this.send({ to, body: json, bytes: Buffer.byteLength(json) }, undefined)
  }

  /** Sends a message of any size. */
  async send(message: Outgoing, client: TransactionHandle | undefined): Promise<void> {
    if (client instanceof Transaction) return this.#sendAfterCommit(message, client)
    const ready = inline(message)
    if (client !== undefined) {
      const [address, json] = ready ?? (await this.#spilled(message, client))
      return this.#db.hub.sendJson(address, json, client)
    }
    if (ready === undefined || this.#turns.has(message.to.name)) return this.#sendInTurn(message)
    return this.#db.hub.sendJson(...ready)
  }

  async #sendAfterCommit(message: Outgoing, tx: Transaction): Promise<void> {
    let ready = inline(message)
    // Before anything is awaited, so that what commits is told in the order of the calls.
    tx.afterCommit(() => {
      const stored = ready
      if (stored === undefined) return
      this.#inTurn(message.to.name, async () => stored).catch(this.#onError)
    })
    ready ??= await this.#spilled(message, tx)
  }

  async #sendInTurn(message: Outgoing): Promise<void> {
    this.#assertRoom(message.bytes)
    this.#waiting++
    this.#waitingBytes += message.bytes
    try {
      await this.#inTurn(message.to.name, async () => inline(message) ?? this.#spilled(message))
    } finally {
      this.#waiting--
      this.#waitingBytes -= message.bytes
    }
  }

  /** Makes a message ready when those of its channel that came before have been given to the hub, and gives it to the hub. */
  async #inTurn(name: string, makeReady: () => Promise<Ready>): Promise<void> {
    const before = this.#turns.get(name)
    let end = () => {}
    const turn = new Promise<void>((resolve) => {
      end = resolve
    })
    this.#turns.set(name, turn)
    let sent: Promise<void>
    try {
      await before
      const [address, json] = await makeReady()
      sent = this.#db.hub.sendJson(address, json)
    } finally {
      if (this.#turns.get(name) === turn) this.#turns.delete(name)
      end()
    }
    await sent
  }

  async #spilled({ to, body }: Outgoing, client?: TransactionHandle): Promise<Ready> {
    return [to.spilled, JSON.stringify(await this.#spill.store(body, client))]
  }

  #assertRoom(bytes: number): void {
    const first = this.#waiting === 0
    if (
      first ||
      (this.#waiting < WAITING_MESSAGES && this.#waitingBytes + bytes <= WAITING_BYTES)
    ) {
      return
    }
    throw new HowdahError(
      'CORE_OVERLOADED',
      'Too many large messages wait to be stored, or others behind them. Await each publish().',
    )
  }
}

/** What the hub is given for a message that fits; `undefined` for one that does not. */
function inline({ to, body, bytes }: Outgoing): Ready | undefined {
  if (typeof body === 'string') return bytes <= to.json.room ? [to.json, body] : undefined
  const base64 = 4 * Math.ceil(bytes / 3) + 2
  return base64 <= to.bytes.room ? [to.bytes, `"${body.toString('base64')}"`] : undefined
}
