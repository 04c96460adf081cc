import assert from 'node:assert/strict'
import { waitFor } from '../wait-for.js'
import { type ConformanceRunner, type Subject, withSubject } from './runner.js'
import {
  type CallbackSessionStore,
  declareCopies,
  declareExpiry,
  declareOptional,
  declareRequired,
  declareTouch,
  get,
  session,
  set,
} from './session-store-contract.js'

/** What express-session asks of a store, by shape; its own `Store` classes fit. */
export interface ConformanceSessionStore extends CallbackSessionStore {
  // biome-ignore lint/suspicious/noExplicitAny: as every emitter has it
  on(event: string, listener: (...args: any[]) => void): unknown
}

/** Makes an empty store for one test. */
export type SessionStoreFactory = () =>
  | Promise<Subject<ConformanceSessionStore>>
  | Subject<ConformanceSessionStore>

/**
 * Declares tests of the contract express-session documents for its stores, one by one, for any store. The parts that
 * contract calls recommended or optional are tested where the store has them.
 *
 * @see https://github.com/expressjs/session#session-store-implementation
 *
 * @example
 * ```ts
 * import { describe, it } from 'node:test'
 * import session from 'express-session'
 * import { sessionStoreConformance } from '@howdah/testkit'
 *
 * sessionStoreConformance({ describe, it }, () => ({ subject: new session.MemoryStore() }))
 * ```
 */
export function sessionStoreConformance(
  runner: ConformanceRunner,
  factory: SessionStoreFactory,
): void {
  const it = withSubject(runner, factory)
  runner.describe('session store contract', () => {
    declareExpress(it)
    declareRequired(it)
    declareCopies(it)
    declareExpiry(it)
    declareTouch(it)
    declareOptional(it)
  })
}

type It = ReturnType<typeof withSubject<ConformanceSessionStore>>

function declareExpress(it: It): void {
  it('is an event emitter', async (store) => {
    assert.equal(typeof store.on, 'function')
  })

  it('get() returns no key that was not set', async (store) => {
    await set(store, 'a', session({ user: 1 }))
    assert.deepEqual(Object.keys((await get(store, 'a')) ?? {}).sort(), ['cookie', 'user'])
  })

  it('set() and destroy() work without a callback', async (store) => {
    store.set('a', session())
    await waitFor(() => get(store, 'a'), { message: 'the session is stored' })
    store.destroy('a')
    await waitFor(async () => (await get(store, 'a')) === undefined, {
      message: 'the session is destroyed',
    })
  })
}
