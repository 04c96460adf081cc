/**
 * All that one {@link PubSub} has to do with presence.
 *
 * Invariants
 * - The hub is asked for while there is a membership or a watch, and let go after the last.
 * - Who lives is looked up every `CHECK_MS` while something is watched that has members, and at no other time. It is one query, however much
 *   is watched, and writes nothing.
 * - close() ends in bounded time; after it no timer is left.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { type Database, Loop } from '@howdah/core'
import { pubSubError } from '../errors.js'
import { presenceAlive } from '../sql/presence-alive.js'
import { type PresenceRow, presenceList } from '../sql/presence-list.js'
import { presencePrune } from '../sql/presence-prune.js'
import { ensureTables } from '../tables.js'
import { type Member, membersOf } from './member.js'
import { type OwnMember, OwnMembers } from './own-members.js'
import { PRESENCE_KIND, topicOf } from './topic.js'
import { type MemberListener, type PresenceChange, Watch } from './watch.js'

const CHECK_MS = 2_000
/** How long closing may take to say that all have left. */
const FAREWELL_MS = 1_000

/** The memberships and watches of one PubSub. */
export class Presences {
  readonly #db: Database
  readonly #onError: (error: unknown) => void
  readonly #own: OwnMembers
  readonly #watches = new Map<string, Watch>()
  readonly #checks: Loop
  #users = 0
  #registration: Promise<() => Promise<void>> | undefined
  #offIdentity: (() => void) | undefined
  #closed = false

  constructor(db: Database, onError: (error: unknown) => void) {
    this.#db = db
    this.#onError = onError
    this.#own = new OwnMembers(db, onError)
    this.#checks = new Loop({ interval: CHECK_MS, run: () => this.#check(), onError })
  }

  /** Enters a member. @throws what the database fails with */
  async join(name: string, id: string, data: string | undefined): Promise<OwnMember> {
    await this.#hold()
    try {
      if (this.#closed) throw closed()
      return await this.#own.join(name, id, data)
    } catch (error) {
      await this.#release()
      throw error
    }
  }

  async update(member: OwnMember, data: string | undefined): Promise<void> {
    await this.#own.update(member, data)
  }

  async leave(member: OwnMember): Promise<void> {
    if (member.leaves) return
    try {
      await this.#own.leave(member)
    } finally {
      await this.#release()
    }
  }

  async list(name: string): Promise<Member[]> {
    const rows = await this.#rows(topicOf(name))
    return membersOf(
      rows
        .filter(({ state }) => state === 'alive')
        .map(({ data, ...row }) => ({ ...row, data: data ?? undefined })),
    )
  }

  /** Tells a listener who is there, and every change after that. Answers the function that ends it. */
  async watch(name: string, listener: MemberListener): Promise<() => Promise<void>> {
    const topic = topicOf(name)
    await this.#hold()
    let watch = this.#watches.get(topic)
    if (watch === undefined) {
      watch = new Watch(
        () => this.#rows(topic),
        (call) => this.#guard(call),
        () => this.#startChecks(),
      )
      this.#watches.set(topic, watch)
    }
    const watched = watch
    try {
      await watched.look()
      if (this.#closed) throw closed()
    } catch (error) {
      await this.#unwatch(topic, watched)
      throw error
    }
    watched.add(listener)
    let ended = false
    return async () => {
      if (ended) return
      ended = true
      watched.remove(listener)
      await this.#unwatch(topic, watched)
    }
  }

  /** Takes everyone out and tells nobody anything any more. */
  async close(): Promise<void> {
    this.#closed = true
    this.#watches.clear()
    const late = new AbortController()
    const left = Promise.all([this.#own.leaveAll(), this.#checks.stop()])
    const patience = delay(FAREWELL_MS, undefined, { signal: late.signal }).catch(() => {})
    await Promise.race([left, patience])
    late.abort()
    void this.#own.stop(closed())
    this.#users = 0
    await this.#unregister()
  }

  async #unwatch(topic: string, watch: Watch): Promise<void> {
    if (watch.unused && this.#watches.get(topic) === watch) this.#watches.delete(topic)
    if (this.#watches.size === 0) void this.#checks.stop()
    await this.#release()
  }

  async #rows(topic: string): Promise<readonly PresenceRow[]> {
    const { schema } = this.#db
    await ensureTables(this.#db)
    const rows = await this.#db.query(presenceList(schema, topic))
    if (rows.some(({ state }) => state === 'dead')) {
      this.#db.query(presencePrune(schema)).catch(this.#onError)
    }
    return rows
  }

  #startChecks(): void {
    if (!this.#closed && this.#watches.size > 0) this.#checks.start()
  }

  async #check(): Promise<undefined> {
    const watches = [...this.#watches.values()].filter(({ toCheck }) => toCheck)
    if (watches.length === 0) {
      void this.#checks.stop()
      return
    }
    const rows = await this.#db.query(presenceAlive(this.#db.schema))
    const alive = new Set(rows.map(({ identity }) => identity))
    await Promise.all(watches.map((watch) => watch.check(alive)))
    return undefined
  }

  async #hold(): Promise<void> {
    this.#users++
    this.#offIdentity ??= this.#db.hub.on('identity', (identity) => {
      if (identity !== undefined) this.#own.enterAgain()
    })
    this.#registration ??= this.#db.hub.register(PRESENCE_KIND, {
      onMessage: (topic, change) => this.#watches.get(topic)?.receive(change as PresenceChange),
      onGap: async () => {
        await Promise.allSettled([...this.#watches.values()].map((watch) => watch.look()))
      },
    })
    const registration = this.#registration
    try {
      await registration
    } catch (error) {
      if (this.#registration === registration) this.#registration = undefined
      await this.#release()
      throw error
    }
  }

  async #release(): Promise<void> {
    this.#users--
    if (this.#users === 0) await this.#unregister()
  }

  async #unregister(): Promise<void> {
    const registration = this.#registration
    this.#registration = undefined
    this.#offIdentity?.()
    this.#offIdentity = undefined
    const unregister = await registration?.catch(() => undefined)
    await unregister?.()
  }

  #guard(call: () => void): void {
    try {
      call()
    } catch (error) {
      this.#onError(error)
    }
  }
}

function closed() {
  return pubSubError('PUBSUB_CLOSED', 'This PubSub was closed meanwhile.')
}
