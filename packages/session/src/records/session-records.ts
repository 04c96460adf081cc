/**
 * The sessions of one name as rows: many calls to a statement, texts opened and sealed on the way.
 *
 * Invariants
 * - Calls of one process on one session take effect in the order they were made, whichever kind they are (the coalescer keeps it). Calls with a client do not
 *   queue: they run in the caller's transaction, when it calls.
 * - A save writes only over the version it knows. Where the session has another one by then, what was changed is applied to that one, and it is tried again: of
 *   two saves of different keys both count, and of one key the one that is written last.
 * - A save of a session that is gone, has expired, or whose id another session has by now, writes nothing: only `put` makes rows.
 * - Statements lock rows in the order of their hashes.
 */
import type { CoalescedOperation, Database, TransactionHandle } from '@howdah/core'
import type { DeviceColumns } from '../device.js'
import { assertSize } from '../json.js'
import { type KeyRing, sealContext } from '../key-ring.js'
import { applyChanges, type Changes, changesBetween } from '../merge.js'
import { endSessions } from '../sql/end-sessions.js'
import { confirmSessions, type Inserted, insertSessions } from '../sql/insert-sessions.js'
import { SEPARATOR } from '../sql/lists.js'
import { type ReadRow, readSession, readSessions, scanSessions } from '../sql/read-sessions.js'
import { regenerateSession } from '../sql/regenerate-session.js'
import { type Touch, touchSessions } from '../sql/touch-sessions.js'
import { putSessions, type Rules, type SessionWrite, saveSessions } from '../sql/write-sessions.js'
import {
  type CarriedSession,
  type Head,
  parseCarried,
  parseHead,
  StoredSession,
} from './stored-session.js'

/** When a session is to end: so many milliseconds from now, or at a time of the server's. */
export interface End {
  readonly ttl: number | null
  readonly expiresAt: number | null
}

/** What is to be written. */
export interface Contents extends End {
  readonly hash: string
  readonly text: string
  readonly user: string | null
  readonly device: DeviceColumns | null
}

/** What is to be written over a state that is known. */
interface Save extends Contents {
  readonly over: StoredSession
  /** Where what is written is more than the caller has: what that is, and what of it was changed. */
  readonly mine?: string
  readonly changes?: Changes
}

type Answer<T> = T | Promise<T>

/** Code units of an answer for many that may stay in memory for one of them: a request that goes on for hours has its session in hand for so long. */
const MOST_KEPT = 65_536

/** A version that no row has. */
const NOT_SEEN = 0

/** Reads and writes the rows of one name. */
export class SessionRecords {
  readonly #db: Database
  readonly #rules: Rules
  readonly #ring: Pick<KeyRing, 'seal' | 'open'>
  readonly #touchEvery: number
  readonly #maxBytes: number
  readonly #read: CoalescedOperation<string, { found: string; now: number }>
  readonly #put: CoalescedOperation<Contents, StoredSession>
  readonly #save: CoalescedOperation<Save, Answer<StoredSession | undefined>>
  readonly #touch: CoalescedOperation<Touch, number | undefined>
  readonly #end: CoalescedOperation<string, boolean>

  constructor(
    db: Database,
    of: {
      readonly rules: Rules
      readonly ring: Pick<KeyRing, 'seal' | 'open'>
      readonly touchEvery: number
      readonly maxBytes: number
    },
  ) {
    this.#db = db
    this.#rules = of.rules
    this.#ring = of.ring
    this.#touchEvery = of.touchEvery
    this.#maxBytes = of.maxBytes
    const prefix = `session:${of.rules.name}:`
    const byHash = (hash: string) => prefix + hash
    const ofHash = ({ hash }: { readonly hash: string }) => prefix + hash
    const bytes = ({ text }: Contents) => text.length + 200
    const { coalescer } = db
    this.#read = coalescer.operation({
      key: byHash,
      duplicates: 'share',
      run: (hashes: readonly string[]) => this.#readAll(hashes),
    })
    this.#put = coalescer.operation({
      key: ofHash,
      bytes,
      run: (all: readonly Contents[]) => this.#putAll(all),
    })
    this.#save = coalescer.operation({
      key: ofHash,
      bytes,
      run: (all: readonly Save[]) => this.#saveAll(all),
    })
    this.#touch = coalescer.operation({
      key: ofHash,
      duplicates: 'last',
      run: (all: readonly Touch[]) => this.#touchAll(all),
    })
    this.#end = coalescer.operation({
      key: byHash,
      duplicates: 'share',
      run: (hashes: readonly string[]) => this.#endAll(hashes),
    })
  }

  /** @throws {@link HowdahError} SESSION_CORRUPT, SESSION_UNREADABLE */
  async read(hash: string, client?: TransactionHandle): Promise<StoredSession | undefined> {
    const { found, now } =
      client === undefined
        ? await this.#read(hash)
        : ((await this.#readAll([hash], client))[0] as { found: string; now: number })
    return found === '' ? undefined : this.#opened(parseCarried(found, hash), now)
  }

  /** Reads so many sessions behind a hash, in the order of their hashes. */
  async scan(after: string, limit: number): Promise<StoredSession[]> {
    const { schema } = this.#db
    const rows = await this.#db.query(scanSessions(schema, this.#rules.name, after, limit))
    return rows.map(({ found, now }) => this.#opened(parseCarried(found), now))
  }

  /** Writes a session, whatever was there. */
  async put(contents: Contents, client?: TransactionHandle): Promise<StoredSession> {
    if (client === undefined) return this.#put(contents)
    return (await this.#putAll([contents], client))[0] as StoredSession
  }

  /** Writes sessions whose ids no live session has, with so long to live at most until they are confirmed. Answers the hashes of those it wrote, with their versions. */
  async insert(all: readonly Contents[], most: number): Promise<ReadonlyMap<string, string>> {
    const writes = inLockOrder(all).map((contents) => this.#sealed(contents))
    const statement = insertSessions(this.#db.schema, this.#rules, writes, most)
    const inserted = await this.#db.query(statement)
    return new Map(inserted.map(({ hash, version }) => [hash, version]))
  }

  /** Lets inserted sessions live as long as they are to, unless they were written since. */
  async confirm(all: readonly Contents[], versions: ReadonlyMap<string, string>): Promise<void> {
    if (all.length === 0) return
    const sorted = inLockOrder(all)
    const inserted = sorted.map(
      ({ hash }): Inserted => ({ hash, version: versions.get(hash) ?? '0' }),
    )
    const ttls = sorted.map(({ ttl }) => ttl)
    await this.#db.query(confirmSessions(this.#db.schema, this.#rules, inserted, ttls))
  }

  /**
   * Writes what was changed since a state. Answers the new state, or `undefined` where the session is gone.
   *
   * @throws {@link HowdahError} SESSION_TOO_LARGE where what others saved and what is saved are too large together
   */
  async save(
    contents: Contents,
    over: StoredSession,
    client?: TransactionHandle,
  ): Promise<StoredSession | undefined> {
    const save = { ...contents, over }
    if (client === undefined) return this.#save(save)
    return (await this.#saveAll([save], client))[0]
  }

  /** Prolongs a session. Answers when it ends, or `undefined` where it is not live. */
  async touch(touch: Touch, client?: TransactionHandle): Promise<number | undefined> {
    if (client === undefined) return this.#touch(touch)
    return (await this.#touchAll([touch], client))[0]
  }

  /** Tells whether a touch would move the end of a session by enough to be written. */
  isTouchDue({ createdAt, expiresAt, now }: StoredSession, end: End): boolean {
    const { longest, rolling } = this.#rules
    if (!rolling) return false
    const wanted = end.ttl === null ? (end.expiresAt as number) : now + end.ttl
    const due = longest === null ? wanted : Math.min(wanted, createdAt + longest)
    return Math.abs(due - expiresAt) >= this.#touchEvery * Math.abs(due - now)
  }

  /** Ends a session. Answers whether it was live. */
  async end(hash: string, client?: TransactionHandle): Promise<boolean> {
    if (client === undefined) return this.#end(hash)
    return (await this.#endAll([hash], client))[0] === true
  }

  /** Ends a session and begins another. Answers `undefined` where the old one is not live. */
  async regenerate(
    old: string,
    contents: Contents,
    client?: TransactionHandle,
  ): Promise<StoredSession | undefined> {
    const write = this.#sealed(contents)
    const statement = regenerateSession(this.#db.schema, this.#rules, old, write)
    const [row] = await this.#db.query(statement, client)
    const written = writtenByHash(row?.written ?? null).get(contents.hash)
    return row && written && stored(contents, written, row.now)
  }

  async #readAll(hashes: readonly string[], client?: TransactionHandle) {
    const { schema } = this.#db
    const { name } = this.#rules
    let row: ReadRow | undefined
    if (hashes.length === 1) {
      ;[row] = await this.#db.query(readSession(schema, name, hashes[0] as string), client)
      return [{ found: row?.found ?? '', now: row?.now ?? 0 }]
    }
    ;[row] = await this.#db.query(readSessions(schema, name, hashes), client)
    const { found, now } = row as ReadRow
    const texts = (found ?? '').split(SEPARATOR)
    const own = (found ?? '').length > MOST_KEPT ? ownCopy : (text: string) => text
    return hashes.map((_, at) => ({ found: own(texts[at] ?? ''), now }))
  }

  async #putAll(all: readonly Contents[], client?: TransactionHandle): Promise<StoredSession[]> {
    const writes = inLockOrder(all).map((contents) => this.#sealed(contents))
    const statement = putSessions(this.#db.schema, this.#rules, writes)
    const [row] = await this.#db.query(statement, client)
    const written = writtenByHash(row?.written ?? null)
    return all.map((contents) =>
      stored(contents, written.get(contents.hash) as Head, row?.now ?? 0),
    )
  }

  async #saveAll(all: readonly Save[], client?: TransactionHandle) {
    const outcomes = new Map<string, Answer<StoredSession | undefined>>()
    let left: readonly Save[] = all
    while (left.length > 0) {
      const saves = inLockOrder(left)
      const versions = saves.map((save) => save.over.version)
      const writes = saves.map((save) => this.#sealed(save))
      const statement = saveSessions(this.#db.schema, this.#rules, writes, versions)
      const [row] = await this.#db.query(statement, client)
      const written = writtenByHash(row?.written ?? null)
      for (const save of saves) {
        const done = written.get(save.hash)
        if (done !== undefined) outcomes.set(save.hash, saved(save, done, row?.now ?? 0))
      }
      left = await this.#merged(
        saves.filter((save) => !written.has(save.hash)),
        outcomes,
        client,
      )
    }
    return all.map((save) => outcomes.get(save.hash))
  }

  /** Brings saves that came too late up to what is stored now; those that cannot be are given their outcome. */
  async #merged(
    late: readonly Save[],
    outcomes: Map<string, Answer<StoredSession | undefined>>,
    client: TransactionHandle | undefined,
  ): Promise<readonly Save[]> {
    if (late.length === 0) return []
    const current = await this.#readAll(
      late.map((save) => save.hash),
      client,
    )
    const merged: Save[] = []
    for (const [at, save] of late.entries()) {
      const { found, now } = current[at] as { found: string; now: number }
      if (found === '') continue
      try {
        const carried = parseCarried(found, save.hash)
        // Another session has the id by now.
        if (carried.createdAt !== save.over.createdAt) continue
        merged.push(this.#mergedWith(save, this.#opened(carried, now)))
      } catch (error) {
        const failed = Promise.reject(error)
        failed.catch(() => {})
        outcomes.set(save.hash, failed)
      }
    }
    return merged
  }

  #mergedWith(save: Save, over: StoredSession): Save {
    const changes = save.changes ?? changesBetween(save.over.text, save.text)
    const text = applyChanges(over.text, changes)
    assertSize(text, this.#maxBytes)
    // Whose session it is belongs to what may have been changed by the one or the other.
    const user = save.user === save.over.user ? over.user : save.user
    return { ...save, text, user, over, changes, mine: save.mine ?? save.text }
  }

  async #touchAll(
    touches: readonly Touch[],
    client?: TransactionHandle,
  ): Promise<(number | undefined)[]> {
    const sorted = inLockOrder(touches)
    const statement = touchSessions(this.#db.schema, this.#rules, this.#touchEvery, sorted)
    const [row] = await this.#db.query(statement, client)
    const ends = new Map<string, number>()
    for (const [at, end] of (row?.ends ?? '').split(',').entries()) {
      const touch = sorted[at]
      if (touch !== undefined && end !== 'x') ends.set(touch.hash, Number(end))
    }
    return touches.map((touch) => ends.get(touch.hash))
  }

  async #endAll(hashes: readonly string[], client?: TransactionHandle): Promise<boolean[]> {
    const statement = endSessions(this.#db.schema, this.#rules.name, [...hashes].sort())
    const [row] = await this.#db.query(statement, client)
    const ended = new Set(row?.ended?.split(','))
    return hashes.map((hash) => ended.has(hash))
  }

  #sealed({ hash, text, user, ttl, expiresAt, device }: Contents): SessionWrite {
    const data = this.#ring.seal(text, this.#context(hash))
    return { hash, data, user, ttl, expiresAt, device }
  }

  #opened(carried: CarriedSession, now: number): StoredSession {
    const { hash, version, user, createdAt, expiresAt, data } = carried
    const text = this.#ring.open(data, this.#context(hash))
    return new StoredSession({ hash, version, text, user, createdAt, expiresAt }, now)
  }

  #context(hash: string): string {
    return sealContext(this.#rules.name, hash)
  }
}

/** A part of a string keeps the whole in memory; what is put together anew is its own. */
function ownCopy(part: string): string {
  return ` ${part}`.slice(1)
}

function stored({ hash, text, user }: Contents, written: Head, now: number) {
  const { version, createdAt, expiresAt } = written
  return new StoredSession({ hash, version, text, user, createdAt, expiresAt }, now)
}

/** Whoever saved has not seen what others changed. So the version is none that a row has, and the next save is merged again: written as a whole it would undo theirs. */
function saved(save: Save, written: Head, now: number): StoredSession {
  if (save.mine === undefined) return stored(save, written, now)
  return stored({ ...save, text: save.mine }, { ...written, version: NOT_SEEN }, now)
}

function inLockOrder<Of extends { readonly hash: string }>(all: readonly Of[]): readonly Of[] {
  return all.length === 1 ? all : [...all].sort((a, b) => (a.hash < b.hash ? -1 : 1))
}

function writtenByHash(text: string | null): Map<string, Head> {
  const written = new Map<string, Head>()
  for (const one of text?.split(',') ?? []) {
    const head = parseHead(one)
    written.set(head.hash, head)
  }
  return written
}
