/**
 * What the near caches on one database share: one registration with the hub, one stream of proofs.
 *
 * It begins with the first read, not with the first cache, and rests when nobody reads.
 */
import type { Database, Hub } from '@howdah/core'
import { isHowdahError } from '@howdah/core'
import { nearProve } from '../sql/near-prove.js'
import { NearFreshness } from './near-freshness.js'
import type { NearMember } from './near-member.js'
import { NearRegistrar } from './near-registrar.js'

const KIND = 'cache'
/** Name of the messages that prove freshness. */
const PROOF = '!'
/** Name of the message that everything may have changed. */
const EVERYTHING = '*'
/** Proofs sent in the shortest time that a read may lie behind. */
const PROOFS_IN_MAX_STALE = 5

const links = new WeakMap<Hub, NearLink>()

/** Answers the one link of a database; the databases of its tenants share it. */
export function nearLink(db: Database): NearLink {
  let link = links.get(db.hub)
  if (link === undefined) {
    link = new NearLink(db)
    links.set(db.hub, link)
  }
  return link
}

/** Connects near caches with the hub. */
export class NearLink {
  readonly #db: Database
  readonly #members = new Set<NearMember>()
  readonly #registrar: NearRegistrar
  readonly #freshness: NearFreshness
  /** Set while registered with the hub, or while that is under way. */
  #hub: Promise<() => Promise<void>> | undefined
  #ready = false
  #askedAt = Number.NEGATIVE_INFINITY

  constructor(db: Database) {
    this.#db = db
    this.#registrar = new NearRegistrar(db, () => this.#freshness.hurry())
    this.#freshness = new NearFreshness({
      interval: () =>
        Math.min(60_000, ...this.#all((member) => member.maxStale)) / PROOFS_IN_MAX_STALE,
      lookups: () => this.#all((member) => member.lookups).reduce((sum, count) => sum + count, 0),
      useful: () => this.#ready && this.#carries() && this.#registrar.open().ids.length > 0,
      send: (nonce) => this.#prove(nonce),
      onRefused: () => this.#registrar.recheck(),
      onError: (error) => this.#report(error),
    })
    // What could not be read may have been for us.
    db.hub.on('error', (error) => {
      if (isHowdahError(error, 'CORE_HUB_MALFORMED')) this.#lost()
    })
  }

  /** When the newest message that proves freshness was sent. */
  get proof(): { readonly sentAt: number } {
    return this.#freshness.proof
  }

  /**
   * A near cache was asked and could not answer. Proofs are worth sending for two reads within `maxStale`; one alone costs
   * less from the database.
   */
  ask(member: NearMember): void {
    const now = performance.now()
    this.#members.add(member)
    if (!this.#ready) this.#connect()
    else this.#registrar.want(member)
    if (now - this.#askedAt <= member.maxStale) this.#freshness.wake()
    this.#askedAt = now
  }

  /** Takes a near cache out; with the last one the hub is let go. */
  async leave(member: NearMember): Promise<void> {
    this.#members.delete(member)
    this.#registrar.remove(member)
    if (this.#members.size > 0) return
    const hub = this.#hub
    this.#hub = undefined
    this.#ready = false
    // Registering may wait for a database that is away; the end must not.
    const unregistered = hub?.then((unregister) => unregister()).catch(() => {})
    await Promise.all([this.#registrar.stop(), this.#freshness.stop()])
    if (this.#carries()) await unregistered
  }

  #connect(): void {
    if (this.#hub !== undefined) return
    const hub = this.#db.hub.register(KIND, {
      onMessage: (name, payload) => this.#receive(name, payload),
      onGap: () => this.#lost(),
    })
    this.#hub = hub
    hub.then(
      () => {
        if (this.#hub === hub) this.#ready = true
      },
      (error) => {
        if (this.#hub === hub) this.#report(error)
      },
    )
  }

  #receive(name: string, payload: unknown): void {
    if (name === PROOF) this.#freshness.hear(payload)
    else if (name === EVERYTHING) this.#flush()
    else {
      for (const member of this.#registrar.of(name)) {
        if (Array.isArray(payload)) member.forget(payload as string[])
        else member.flush()
      }
    }
  }

  /** Messages may have been lost. */
  #lost(): void {
    this.#freshness.reset()
    this.#flush()
    // A transaction may send without keeping its message for pollers that came after it had begun.
    if (this.#db.hub.state !== 'listening') this.#registrar.resettle()
  }

  #flush(): void {
    for (const member of this.#members) member.flush()
  }

  async #prove(nonce: string): Promise<boolean> {
    const { ids, epochs } = this.#registrar.open()
    const [row] = await this.#db.query(nearProve(this.#db.schema, nonce, ids, epochs))
    return row?.proven === true
  }

  #carries(): boolean {
    return this.#db.hub.state === 'listening' || this.#db.hub.state === 'polling'
  }

  #report(error: unknown): void {
    for (const member of this.#members) member.report(error)
  }

  #all<T>(of: (member: NearMember) => T): T[] {
    return [...this.#members].map(of)
  }
}
