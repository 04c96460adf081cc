/**
 * Two stores that have the same sessions: what one is read from decides, the other follows.
 *
 * States: reading from old, reading from new; which one may be said at any time, and is what each operation finds when it begins. Invariants, L being the store that is read from, F the other:
 * - What is written to L is then written to F, and after that L is read again: where it has something else by then, that is written to F, until L has what was written. So whoever wrote to F last
 *   has seen L unchanged since, and when all saves have ended F has what L has; also of two requests whose changes L merged, and of two processes that reach the stores in different orders.
 * - A logout ends a session in old, in new and, where L is new, in old once more. A save that was under way, and writes to F after that, reads L after it wrote, finds nothing, and ends it in F.
 *   If its reading of L comes before the logout has ended the session there, so does its writing to F, and the logout comes to F later. Old comes before new for the sake of imports.
 * - A session that was loaded from one store, and is saved when the other is L, is written over what L has now, and only where L has it: else such a save would bring back what was ended meanwhile.
 * - A logout has succeeded when both stores have done it. Where one has not, it fails, goes on in the background, and for this process the session has ended: it could otherwise be read after a switch.
 * - Nothing else that F does, fails to do, or takes too long for, fails a request.
 *
 * What L cannot prevent, nobody does: while L is connect-redis or connect-pg-simple, a save under way at logout brings the session back, there and so in F; and of two requests one undoes the other's changes.
 */
import { sessionError } from '../errors.js'
import { refOf } from '../id.js'
import { type CallbackStore, isStore } from './callback-store.js'
import type { MirrorFailure, MirrorMismatch, MirrorStats } from './mirror-events.js'
import {
  checkedSwitch,
  type MirrorOptions,
  type MirrorSwitch,
  resolveMirrorOptions,
} from './mirror-options.js'
import { PendingEnds } from './pending-ends.js'
import { isSame, type PlainSession, plainSession } from './same-session.js'
import { Shadow } from './shadow.js'
import { StoreSide } from './store-side.js'
import { within } from './within.js'

/** A session that others write to all the time is left to them after so many rounds. */
const MOST_ROUNDS = 50

/** What a mirror tells of. */
export interface MirrorReports {
  failed(error: unknown, failure: MirrorFailure): void
  differs(mismatch: MirrorMismatch): void
}

/** Both stores as one, by promises. */
export class Mirror {
  readonly #old: StoreSide
  readonly #new: StoreSide
  readonly #timeout: number
  readonly #reports: MirrorReports
  readonly #shadow: Shadow
  readonly #errors = { old: 0, new: 0 }
  readonly #ends: PendingEnds
  readonly #comparisons = new Set<Promise<void>>()
  #closed = false
  /** The store that a session in hand was loaded from, or saved to first. */
  readonly #home = new WeakMap<object, StoreSide>()
  #switch: MirrorSwitch

  /** @throws {@link HowdahError} SESSION_INVALID_OPTION, CORE_INVALID_DURATION */
  constructor(
    oldStore: CallbackStore,
    newStore: CallbackStore,
    options: MirrorOptions,
    reports: MirrorReports,
  ) {
    if (!isStore(oldStore) || !isStore(newStore) || (oldStore as unknown) === newStore) {
      throw sessionError('SESSION_INVALID_OPTION', 'Pass mirror() two session stores.')
    }
    const { timeout, ...chosen } = resolveMirrorOptions(options)
    this.#old = new StoreSide('old', oldStore)
    this.#new = new StoreSide('new', newStore)
    this.#timeout = timeout
    this.#reports = reports
    this.#shadow = new Shadow(timeout)
    this.#switch = chosen
    this.#ends = new PendingEnds((sid) => this.#end(sid))
  }

  /** @throws {@link HowdahError} SESSION_INVALID_OPTION */
  switch(to: MirrorSwitch): void {
    this.#switch = checkedSwitch(to)
  }

  stats(): MirrorStats {
    const { compared, different, ...missing } = this.#shadow.counts
    return {
      ...this.#switch,
      compared,
      missingInOld: missing['missing-in-old'],
      missingInNew: missing['missing-in-new'],
      different,
      errorsInOld: this.#errors.old,
      errorsInNew: this.#errors.new,
      pendingEnds: this.#ends.size,
    }
  }

  /** The store a session in hand came from. */
  storeOf(session: object): CallbackStore | undefined {
    return this.#home.get(session)?.store
  }

  /** Tells that one object stands for the session of another. */
  becomes(session: object, made: object): void {
    const home = this.#home.get(session)
    if (home !== undefined) this.#home.set(made, home)
  }

  async get(sid: string): Promise<object | null> {
    const { shadow } = this.#switch
    const [leader, other] = this.#sides()
    if (this.#ends.has(sid)) return null
    const session = await leader.get(sid)
    if (session !== null) this.#home.set(session, leader)
    // Copied before the request gets hold of it.
    if (shadow && !this.#closed) {
      const comparison = this.#compare(sid, session && plainSession(session), leader, other)
      this.#comparisons.add(comparison)
      void comparison.finally(() => this.#comparisons.delete(comparison))
    }
    return session
  }

  async set(sid: string, session: object): Promise<void> {
    const [leader, other] = this.#sides()
    const home = this.#home.get(session)
    const copy = plainSession(session)
    if (home !== undefined && home !== leader) {
      if (!(await writeOver(leader, sid, copy))) return
    } else {
      await leader.set(sid, session)
      this.#home.set(session, leader)
    }
    // A store may tell by the request that a session is new, and where it began.
    const { req } = session as { readonly req?: unknown }
    const first = plainSession(copy)
    if (home === undefined && req !== undefined) Object.defineProperty(first, 'req', { value: req })
    await this.#tell(other, 'set', sid, follow(sid, first, leader, other))
  }

  async touch(sid: string, session: object): Promise<void> {
    const [leader, other] = this.#sides()
    const touched = other.touch(sid, plainSession(session))
    const told = this.#tell(other, 'touch', sid, touched)
    await leader.touch(sid, session)
    await told
  }

  /** @throws {@link HowdahError} SESSION_NOT_ENDED */
  async destroy(sid: string): Promise<void> {
    try {
      await this.#end(sid)
    } catch (error) {
      this.#ends.add(sid)
      throw error
    }
  }

  /** @throws {@link HowdahError} SESSION_NOT_ENDED */
  async clear(): Promise<void> {
    await this.#inBoth('clear', undefined, (side) => side.clear())
  }

  all(): Promise<unknown> {
    return this.#sides()[0].all()
  }

  length(): Promise<number> {
    return this.#sides()[0].length()
  }

  /** Waits for comparisons under way, and tries once more to end what is left to be ended. */
  async close(): Promise<void> {
    this.#closed = true
    await Promise.all(this.#comparisons)
    await this.#ends.close()
  }

  #sides(): readonly [leader: StoreSide, other: StoreSide] {
    return this.#switch.readFrom === 'old' ? [this.#old, this.#new] : [this.#new, this.#old]
  }

  #end(sid: string): Promise<void> {
    return this.#inBoth('destroy', sid, (side) => side.destroy(sid))
  }

  /** Ends something in old, in new and, where new is read from, in old again; fails where one of them did. */
  async #inBoth(
    operation: MirrorFailure['operation'],
    sid: string | undefined,
    end: (side: StoreSide) => Promise<void>,
  ): Promise<void> {
    const [leader, other] = this.#sides()
    const failed = new Map<StoreSide, unknown>()
    for (const side of leader === this.#new ? [other, leader, other] : [leader, other]) {
      if (failed.has(side)) continue
      try {
        if (side === leader) await end(side)
        else await within(this.#timeout, end(side))
      } catch (error) {
        failed.set(side, error)
        if (side === other) this.#failed(other, operation, sid, error)
      }
    }
    if (failed.has(leader)) throw failed.get(leader)
    if (failed.has(other)) throw notEnded(failed.get(other))
  }

  /** Waits for what the other store does, not for ever, and reports what becomes of it. */
  async #tell(
    other: StoreSide,
    operation: MirrorFailure['operation'],
    sid: string,
    done: Promise<void>,
  ): Promise<void> {
    try {
      await within(this.#timeout, done)
    } catch (error) {
      this.#failed(other, operation, sid, error)
    }
  }

  async #compare(sid: string, answer: PlainSession | null, side: StoreSide, other: StoreSide) {
    try {
      const mismatch = await this.#shadow.compare(sid, answer, side, other)
      if (mismatch !== undefined) this.#reports.differs(mismatch)
    } catch (error) {
      this.#failed(other, 'get', sid, error)
    }
  }

  #failed(
    { name }: StoreSide,
    operation: MirrorFailure['operation'],
    sid: string | undefined,
    error: unknown,
  ): void {
    this.#errors[name]++
    const ref = sid === undefined ? undefined : refOf(sid)
    this.#reports.failed(error, { store: name, operation, ref })
  }
}

/** Writes a session over what a store has of it; answers `false` where it has nothing. The object that the store answered is what it knows the session by. */
async function writeOver(side: StoreSide, sid: string, copy: PlainSession): Promise<boolean> {
  const stored = (await side.get(sid)) as PlainSession | null
  if (stored === null) return false
  for (const key of Object.keys(stored)) delete stored[key]
  await side.set(sid, Object.assign(stored, copy))
  return true
}

/** Writes a session to the other store, and again until the one that is read from has nothing else by then. */
async function follow(
  sid: string,
  first: PlainSession,
  leader: StoreSide,
  other: StoreSide,
): Promise<void> {
  let wanted: PlainSession | null = first
  for (let round = 0; round < MOST_ROUNDS; round++) {
    // Compared as it was: a store may change the object it is given.
    const before: PlainSession | null = wanted && plainSession(wanted)
    await (wanted === null ? other.destroy(sid) : other.set(sid, wanted))
    const now = await leader.getPlain(sid)
    if (isSame(before, now)) return
    wanted = now
  }
}

function notEnded(cause: unknown) {
  return sessionError(
    'SESSION_NOT_ENDED',
    'The session has ended in the store that is read from, but the other one could not be told: after a switch it could be read. It is tried again until that is done.',
    { cause },
  )
}
