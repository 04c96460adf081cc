import type { CallbackStore } from './callback-store.js'
import { call, found } from './callback-store.js'
import { type PlainSession, plainSession } from './same-session.js'
import { sourceOf } from './session-source.js'

/** Sessions of a listing that is not the store's own, or that end by one another. */
const BATCH = 500

/** One of the two stores of a mirror, by promises. What it has no method for is done by those it has. */
export class StoreSide {
  readonly name: 'old' | 'new'
  readonly store: CallbackStore

  constructor(name: 'old' | 'new', store: CallbackStore) {
    this.name = name
    this.store = store
  }

  get(sid: string): Promise<object | null> {
    return found(this.store, sid)
  }

  async getPlain(sid: string): Promise<PlainSession | null> {
    const session = await this.get(sid)
    return session && plainSession(session)
  }

  async set(sid: string, session: object): Promise<void> {
    await call((done) => this.store.set(sid, session, done))
  }

  async destroy(sid: string): Promise<void> {
    await call((done) => this.store.destroy(sid, done))
  }

  async touch(sid: string, session: object): Promise<void> {
    if (typeof this.store.touch !== 'function') return
    await call((done) => this.store.touch?.(sid, session, done))
  }

  async all(): Promise<unknown> {
    if (typeof this.store.all === 'function') return call((done) => this.store.all?.(done))
    const all: unknown[] = []
    for await (const sessions of this.#batches()) all.push(...sessions.map(({ data }) => data))
    return all
  }

  async length(): Promise<number> {
    if (typeof this.store.length === 'function') {
      return Number(await call((done) => this.store.length?.(done)))
    }
    let length = 0
    for await (const sessions of this.#batches()) length += sessions.length
    return length
  }

  async clear(): Promise<void> {
    if (typeof this.store.clear === 'function') {
      await call((done) => this.store.clear?.(done))
      return
    }
    for await (const sessions of this.#batches()) {
      await Promise.all(sessions.map(({ id }) => this.destroy(id)))
    }
  }

  #batches() {
    return sourceOf(this.store).batches(BATCH)
  }
}
