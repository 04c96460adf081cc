/**
 * What this process knows of one presence while somebody watches it.
 *
 * Invariants
 * - Messages are taken from before the first look at the table, so nothing falls between the two. Of one membership the higher version
 *   holds, whichever way it came, and the end of it is its last: who left while a look was under way is not brought back by it.
 * - Who is told to have left has left at once. Who is only missing (its hub is not among the living, or a look does not find it) is in doubt
 *   for `DOUBT_MS`, for its process may be about to connect again.
 * - Listeners are told of members, not of memberships: one joins with its first and leaves with its last.
 * - A look that fails is made up for by the next check.
 */
import type { PresenceRow } from '../sql/presence-list.js'
import { byArrival, type Entry, type KnownMember, type Member, memberOf } from './member.js'

/** What a listener is told. */
export interface MemberListener {
  onJoin(member: Member): void
  onUpdate(member: Member): void
  onLeave(member: Member): void
}

/** A change as it comes in a message. */
export type PresenceChange =
  | readonly [token: string, version: number]
  | readonly [token: string, version: number, hub: null]
  | readonly [
      token: string,
      version: number,
      hub: string,
      id: string,
      since: number,
      at: number,
      data: string | null,
    ]

/** How long someone may be missing. */
const DOUBT_MS = 3_000

interface KnownEntry extends Entry {
  /** Since when it is missing, by this process's clock. */
  missingSince?: number | undefined
}

/** One presence that is watched. */
export class Watch {
  readonly #list: () => Promise<readonly PresenceRow[]>
  readonly #tell: (call: () => void) => void
  readonly #onMembers: () => void
  readonly #entries = new Map<string, KnownEntry>()
  readonly #byId = new Map<string, Map<string, KnownEntry>>()
  readonly #members = new Map<string, KnownMember>()
  readonly #listeners = new Set<MemberListener>()
  /** Who left during the look under way, which may have seen them before. */
  #left: Set<string> | undefined
  #looking: Promise<void> | undefined
  #lookAgain = false
  #failed = false
  #hidden = false

  /**
   * @param list - reads the rows
   * @param tell - calls a listener, whatever it throws
   * @param onMembers - called when there is something to check from now on
   */
  constructor(
    list: () => Promise<readonly PresenceRow[]>,
    tell: (call: () => void) => void,
    onMembers: () => void,
  ) {
    this.#list = list
    this.#tell = tell
    this.#onMembers = onMembers
  }

  /** Whether anything could change without a message. */
  get toCheck(): boolean {
    return this.#entries.size > 0 || this.#hidden || this.#failed
  }

  /** Whether nobody listens. */
  get unused(): boolean {
    return this.#listeners.size === 0
  }

  /** Tells the listener who is there, and everything after that. */
  add(listener: MemberListener): void {
    const members = [...this.#members.values()].map(({ member }) => member).sort(byArrival)
    this.#listeners.add(listener)
    for (const member of members) this.#tell(() => listener.onJoin(member))
  }

  remove(listener: MemberListener): void {
    this.#listeners.delete(listener)
  }

  /** Takes a message. */
  receive(change: PresenceChange): void {
    const [token, version, hub] = change
    if (hub === undefined) {
      void this.look().catch(() => {})
    } else if (hub === null) {
      this.#left?.add(token)
      const known = this.#entries.get(token)
      if (known === undefined) return
      this.#drop(known)
      this.#compose(known.id)
    } else {
      const [, , , id, since, at, data] = change as Extract<PresenceChange, { length: 7 }>
      this.#put({ token, version, hub, id, since, at, data: data ?? undefined })
      this.#compose(id)
    }
  }

  /**
   * Reads the table; answers once it was read by a statement that began after this call.
   *
   * @throws what the database fails with
   */
  look(): Promise<void> {
    if (this.#looking !== undefined) this.#lookAgain = true
    this.#looking ??= this.#look()
    return this.#looking
  }

  /** Looks, where that could find anything else than what is known. @throws what the database fails with */
  async check(alive: ReadonlySet<string>): Promise<void> {
    const missing = ({ hub, missingSince }: KnownEntry) =>
      missingSince !== undefined || !alive.has(hub)
    if (this.#failed || this.#hidden || [...this.#entries.values()].some(missing)) await this.look()
  }

  async #look(): Promise<void> {
    try {
      do {
        this.#lookAgain = false
        this.#left = new Set()
        this.#failed = true
        const rows = await this.#list()
        this.#failed = false
        this.#hidden = rows.some(({ state }) => state === 'quiet')
        this.#compare(rows, this.#left)
      } while (this.#lookAgain)
    } finally {
      // No await since the last look at `#lookAgain`, so that no call falls between.
      this.#left = undefined
      this.#looking = undefined
      if (this.toCheck) this.#onMembers()
    }
  }

  #compare(rows: readonly PresenceRow[], left: ReadonlySet<string>): void {
    const found = new Set<string>()
    const changed = new Set<string>()
    for (const { state, data, ...row } of rows) {
      if (state !== 'alive' || left.has(row.token)) continue
      found.add(row.token)
      this.#put({ ...row, data: data ?? undefined })
      changed.add(row.id)
    }
    const now = performance.now()
    for (const entry of [...this.#entries.values()]) {
      if (found.has(entry.token)) continue
      entry.missingSince ??= now
      if (now - entry.missingSince < DOUBT_MS) continue
      this.#drop(entry)
      changed.add(entry.id)
    }
    for (const id of changed) this.#compose(id)
  }

  #put(entry: KnownEntry): void {
    const known = this.#entries.get(entry.token)
    if (known !== undefined && known.version > entry.version) return
    this.#entries.set(entry.token, entry)
    const same = this.#byId.get(entry.id) ?? new Map<string, KnownEntry>()
    this.#byId.set(entry.id, same.set(entry.token, entry))
    this.#onMembers()
  }

  #drop({ token, id }: KnownEntry): void {
    this.#entries.delete(token)
    const same = this.#byId.get(id)
    same?.delete(token)
    if (same?.size === 0) this.#byId.delete(id)
  }

  /** Makes the member anew of its entries, and tells what that changed. */
  #compose(id: string): void {
    const before = this.#members.get(id)
    const after = memberOf(this.#byId.get(id)?.values() ?? [])
    if (after === undefined) this.#members.delete(id)
    else this.#members.set(id, after)
    for (const listener of [...this.#listeners]) {
      this.#tell(() => {
        if (after === undefined) {
          if (before !== undefined) listener.onLeave(before.member)
        } else if (before === undefined) listener.onJoin(after.member)
        else if (before.json !== after.json) listener.onUpdate(after.member)
      })
    }
  }
}
