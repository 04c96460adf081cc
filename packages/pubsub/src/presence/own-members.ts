/**
 * The memberships of this process, and their rows.
 *
 * States of a membership: joining -> present -> leaving -> over. Invariants
 * - The rows follow what is said here: whatever differs from its row is in `#unwritten`, and one writer at a time takes from there until
 *   nothing is left, again after a failure. So what is written of one membership is in the order it was said.
 * - A row names the identity of the hub at the time. When the hub gets another, every row is written again.
 * - What is said resolves once it is written, or fails with the first attempt, which is repeated in the background all the same. A
 *   membership whose first writing failed is one that leaves.
 * - With nothing said and no new identity, nothing is written.
 */
import { randomBytes } from 'node:crypto'
import { type Database, Loop } from '@howdah/core'
import { presencePrune } from '../sql/presence-prune.js'
import { type EnteredRow, presenceWrite } from '../sql/presence-write.js'
import { ensureTables } from '../tables.js'
import { PRESENCE_KIND, topicOf } from './topic.js'

/** One membership as this process means it. */
export interface OwnMember {
  readonly token: string
  readonly topic: string
  readonly name: string
  readonly id: string
  /** JSON. */
  data: string | undefined
  version: number
  since: number | undefined
  at: number | undefined
  leaves: boolean
}

interface Waiting {
  resolve(): void
  reject(error: unknown): void
}

const BATCH_ROWS = 500
const BATCH_BYTES = 1024 * 1024
/** Nothing is done in between unless someone says so. */
const NEVER = 2 ** 31 - 1

/** Writes the memberships of one process. */
export class OwnMembers {
  readonly #db: Database
  readonly #members = new Map<string, OwnMember>()
  readonly #unwritten = new Map<OwnMember, Waiting[]>()
  readonly #writer: Loop
  /** Identity under which the dead were looked for. */
  #prunedAs: string | undefined

  constructor(db: Database, onError: (error: unknown) => void) {
    this.#db = db
    this.#writer = new Loop({
      interval: NEVER,
      jitter: 0,
      backoff: { initial: 100, max: 5_000 },
      run: () => this.#write(),
      onError,
    })
  }

  /** @throws what the database fails with; it is no member then */
  async join(name: string, id: string, data: string | undefined): Promise<OwnMember> {
    const token = randomBytes(15).toString('base64url')
    const topic = topicOf(name)
    const times = { since: undefined, at: undefined }
    const member = { token, topic, name, id, data, version: 0, leaves: false, ...times }
    this.#members.set(token, member)
    try {
      await this.#say(member)
    } catch (error) {
      this.leave(member).catch(() => {})
      throw error
    }
    return member
  }

  /** @throws what the database fails with, and tries again */
  async update(member: OwnMember, data: string | undefined): Promise<void> {
    member.data = data
    member.at = undefined
    await this.#say(member)
  }

  /** @throws what the database fails with, and tries again */
  async leave(member: OwnMember): Promise<void> {
    if (!this.#members.delete(member.token)) return
    member.leaves = true
    await this.#say(member)
  }

  /** Writes every row again, for the hub has a new identity. */
  enterAgain(): void {
    for (const member of this.#members.values()) {
      if (!this.#unwritten.has(member)) this.#unwritten.set(member, [])
      member.version++
    }
    this.#wake()
  }

  /** Takes everyone out. Resolves once that is written; the rest of a failure is left to whoever finds the rows. */
  async leaveAll(): Promise<void> {
    const leaving = [...this.#members.values()].map((member) => this.leave(member))
    await Promise.allSettled(leaving)
  }

  /** Writes no more; resolves after what is being written. What waits fails with the error. */
  async stop(error: unknown): Promise<void> {
    const stopped = this.#writer.stop()
    for (const waiting of this.#unwritten.values()) {
      for (const { reject } of waiting) reject(error)
    }
    this.#unwritten.clear()
    await stopped
  }

  #say(member: OwnMember): Promise<void> {
    member.version++
    return new Promise((resolve, reject) => {
      const waiting = this.#unwritten.get(member)
      if (waiting === undefined) this.#unwritten.set(member, [{ resolve, reject }])
      else waiting.push({ resolve, reject })
      this.#wake()
    })
  }

  #wake(): void {
    if (this.#unwritten.size === 0) return
    this.#writer.start()
    this.#writer.wake()
  }

  async #write(): Promise<undefined> {
    const { identity } = this.#db.hub
    const batch = this.#take(identity !== undefined)
    if (batch.size === 0) return
    const all = [...batch.keys()]
    const entering = all.filter(({ leaves }) => !leaves).map((member) => ({ ...member }))
    const leaving = all.filter(({ leaves }) => leaves)
    const { schema } = this.#db
    let entered: EnteredRow[]
    try {
      await ensureTables(this.#db)
      const write = presenceWrite(schema, PRESENCE_KIND, identity ?? '', entering, leaving)
      entered = await this.#db.query(write)
    } catch (error) {
      this.#giveBack(batch, error)
      throw error
    }
    this.#note(entered, new Map(entering.map(({ token, version }) => [token, version])))
    for (const waiting of batch.values()) for (const { resolve } of waiting) resolve()
    await this.#prune(identity)
    if (this.#unwritten.size > 0) this.#writer.wake()
    else if (this.#members.size === 0) void this.#writer.stop()
    return undefined
  }

  /** What can be written now: only who leaves, while there is no identity to enter under. */
  #take(mayEnter: boolean): Map<OwnMember, Waiting[]> {
    const batch = new Map<OwnMember, Waiting[]>()
    let bytes = 0
    for (const [member, waiting] of this.#unwritten) {
      if (!mayEnter && !member.leaves) continue
      bytes += member.data?.length ?? 0
      if (batch.size === BATCH_ROWS || (batch.size > 0 && bytes > BATCH_BYTES)) break
      batch.set(member, waiting)
    }
    for (const member of batch.keys()) this.#unwritten.delete(member)
    return batch
  }

  #giveBack(batch: Map<OwnMember, Waiting[]>, error: unknown): void {
    for (const [member, waiting] of batch) {
      const since = this.#unwritten.get(member)
      this.#unwritten.set(member, since ?? [])
      for (const { reject } of waiting) reject(error)
    }
  }

  /** Keeps the times, so that a row that was lost can be entered with them again. */
  #note(entered: readonly EnteredRow[], versions: ReadonlyMap<string, number>): void {
    for (const { token, since, at } of entered) {
      const member = this.#members.get(token)
      if (member === undefined) continue
      member.since = since
      if (member.version === versions.get(token)) member.at = at
    }
  }

  /** Once under each identity, as processes come after others have gone. */
  async #prune(identity: string | undefined): Promise<void> {
    if (identity === undefined || this.#prunedAs === identity) return
    await this.#db.query(presencePrune(this.#db.schema))
    this.#prunedAs = identity
  }
}
