/**
 * Has the writers of namespaces tell this process what they change.
 *
 * States of a member: wanted -> settling -> open; any -> wanted when its registration is found to be another one; any -> absent when
 * nobody reads it any more.
 *
 * Invariants
 * - A member is opened only once every transaction has ended that may have looked for near caches before they were registered: a
 *   writer takes its transaction id before it looks, so all of those have an id below the fence, which is drawn after the
 *   registration has committed.
 * - What it takes to be registered is not trusted between rounds: each proof of freshness checks it (`cache_near_prove`).
 * - One round runs at a time, and no statement of a round waits for locks.
 */
import { type Database, Loop } from '@howdah/core'
import { migrations } from '../migrations/index.js'
import { nearFence } from '../sql/near-fence.js'
import { nearOldest } from '../sql/near-oldest.js'
import { nearRegister } from '../sql/near-register.js'
import type { NearMember } from './near-member.js'

/** Where a member stands. */
interface Place {
  readonly member: NearMember
  state: 'wanted' | 'settling' | 'open'
  id: number | undefined
  epoch: string | undefined
  /** Transactions with a smaller id must have ended. */
  fence: bigint | undefined
  /** Counts what outdates an answer that is under way. */
  turn: number
  /** When to register again, by `performance.now()`. */
  dueAt: number
  /** Lookups at the last registration. */
  lookups: number
}

/** How often a registration is renewed. */
const RENEW_MS = 30_000
/** Waits while transactions are to end, or a row is held. */
const FIRST_WAIT_MS = 5
const LONGEST_WAIT_MS = 500

/** Registers near caches with the writers of their namespaces. */
export class NearRegistrar {
  readonly #db: Database
  readonly #onOpen: () => void
  readonly #loop: Loop
  readonly #places = new Map<NearMember, Place>()
  #wait = FIRST_WAIT_MS

  constructor(db: Database, onOpen: () => void) {
    this.#db = db
    this.#onOpen = onOpen
    this.#loop = new Loop({
      interval: RENEW_MS,
      run: () => this.#round(),
      onError: (error) => {
        for (const { member } of this.#places.values()) member.report(error)
      },
    })
  }

  /** Registers a member, unless it is. */
  want(member: NearMember): void {
    if (this.#places.has(member)) return
    this.#places.set(member, {
      member,
      state: 'wanted',
      id: undefined,
      epoch: undefined,
      fence: undefined,
      turn: 0,
      dueAt: 0,
      lookups: member.lookups,
    })
    this.#wait = FIRST_WAIT_MS
    this.#loop.start()
    this.#loop.wake()
  }

  /** Members of the namespace with a number, as text. */
  *of(id: string): Generator<NearMember> {
    for (const place of this.#places.values()) {
      if (String(place.id) === id) yield place.member
    }
  }

  /** The registrations that members rely on now. */
  open(): { ids: number[]; epochs: string[] } {
    const open = [...this.#places.values()].filter(({ state }) => state === 'open')
    return { ids: open.map(({ id }) => id ?? 0), epochs: open.map(({ epoch }) => epoch ?? '') }
  }

  /** Looks at every registration soon: one of them may be gone. */
  recheck(): void {
    for (const place of this.#places.values()) place.dueAt = 0
    this.#wait = FIRST_WAIT_MS
    this.#loop.wake()
  }

  /** Waits once more for every transaction that runs now: it may have sent messages in a way that does not reach us. */
  resettle(): void {
    for (const place of this.#places.values()) {
      if (place.state !== 'wanted') this.#lose(place, 'settling')
    }
    this.recheck()
  }

  remove(member: NearMember): void {
    this.#places.delete(member)
  }

  async stop(): Promise<void> {
    await this.#loop.stop()
  }

  async #round(): Promise<number | undefined> {
    await this.#db.migrator.ensure(migrations)
    for (const place of [...this.#places.values()]) {
      if (performance.now() >= place.dueAt) await this.#register(place)
    }
    await this.#settle()
    return this.#pause()
  }

  async #register(place: Place): Promise<void> {
    const { member } = place
    if (place.state === 'open' && member.lookups === place.lookups && place.dueAt > 0) {
      // Nobody has read it since the last time: its writers need not go on telling.
      this.#places.delete(member)
      member.shut()
      return
    }
    place.lookups = member.lookups
    place.dueAt = performance.now() + RENEW_MS
    const statement = nearRegister(this.#db.schema, member.namespace, member.logged)
    const [row] = await this.#db.query(statement)
    if (row === undefined || row.epoch === null || row.ms <= 0) {
      place.dueAt = 0
      this.#lose(place, 'wanted')
      return
    }
    if (place.state === 'wanted' || row.epoch !== place.epoch) this.#lose(place, 'settling')
    // The namespace was cleared. Its writers tell us all along, but those of the new number we have not heard so far.
    else if (row.id !== place.id) place.member.flush()
    place.id = row.id
    place.epoch = row.epoch
  }

  async #settle(): Promise<void> {
    const settling = [...this.#places.values()].filter(({ state }) => state === 'settling')
    if (settling.length === 0) return
    const turns = settling.map(({ turn }) => turn)
    const unfenced = settling.filter(({ fence }) => fence === undefined)
    const drawn = unfenced.length === 0 ? [] : await this.#db.query(nearFence(this.#db.schema))
    const [oldest] = await this.#db.query(nearOldest(this.#db.schema))
    for (const [at, place] of settling.entries()) {
      // Whatever came in between asks for a fence after it.
      if (place.turn !== turns[at] || this.#places.get(place.member) !== place) continue
      place.fence ??= BigInt(drawn[0]?.xid ?? 0)
      if (oldest === undefined || BigInt(oldest.xmin) < place.fence) continue
      place.state = 'open'
      place.member.open()
      this.#onOpen()
    }
  }

  #lose(place: Place, state: 'wanted' | 'settling'): void {
    place.turn++
    place.state = state
    place.fence = undefined
    if (this.#places.get(place.member) === place) place.member.shut()
  }

  /** Milliseconds until the next round: soon while something is not yet open. */
  #pause(): number {
    const places = [...this.#places.values()]
    if (places.some(({ state }) => state !== 'open')) {
      this.#wait = Math.min(this.#wait * 2, LONGEST_WAIT_MS)
      return this.#wait
    }
    const now = performance.now()
    return Math.max(0, Math.min(RENEW_MS, ...places.map(({ dueAt }) => dueAt - now)))
  }
}
