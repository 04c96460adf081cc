import assert from 'node:assert/strict'
import { waitFor } from '../wait-for.js'
import { HOSTILE_NAMES, HOSTILE_VALUE } from './hostile.js'
import type { withSubject } from './runner.js'

/** A session as a store sees it. */
export interface ConformanceSession {
  // biome-ignore lint/suspicious/noExplicitAny: cookies are typed differently by every version of express-session
  cookie: any
  // biome-ignore lint/suspicious/noExplicitAny: applications put anything into a session
  [key: string]: any
}

/** What both express-session and @fastify/session ask of a store, by shape. */
export interface CallbackSessionStore {
  // biome-ignore-start lint/suspicious/noExplicitAny: the callbacks of the frameworks are typed with any
  get(sid: string, callback: (error: any, session?: any) => void): void
  set(sid: string, session: any, callback?: (error?: any) => void): void
  destroy(sid: string, callback?: (error?: any) => void): void
  touch?(sid: string, session: any, callback?: (error?: any) => void): void
  all?(callback: (error: any, sessions?: any) => void): void
  length?(callback: (error: any, length?: any) => void): void
  clear?(callback?: (error?: any) => void): void
  // biome-ignore-end lint/suspicious/noExplicitAny: see above
}

/** Declares a test of a store. */
export type It = ReturnType<typeof withSubject<CallbackSessionStore>>

/** Tests of storing, finding and destroying. */
export function declareRequired(it: It): void {
  it('get() of an unknown session answers without error and without session', async (store) => {
    assert.equal(await get(store, 'unknown'), undefined)
  })

  it('get() returns what set() stored, with every value JSON can hold', async (store) => {
    await set(store, 'a', { ...session(), ...HOSTILE_VALUE })
    // As JSON has it, which is how the frameworks look at it.
    const { cookie, ...data } = JSON.parse(JSON.stringify(await get(store, 'a')))
    assert.deepEqual(data, HOSTILE_VALUE)
    assert.equal(cookie.path, '/')
  })

  it('get() returns a cookie whose expiry is the one stored', async (store) => {
    const stored = session({}, 3_600_000)
    await set(store, 'a', stored)
    const found = await get(store, 'a')
    assert.equal(new Date(found?.cookie.expires).getTime(), stored.cookie.expires.getTime())
    assert.equal(found?.cookie.originalMaxAge, 3_600_000)
  })

  it('set() replaces the session as a whole', async (store) => {
    await set(store, 'a', session({ user: 1, basket: [1] }))
    await set(store, 'a', session({ user: 2 }))
    const found = await get(store, 'a')
    assert.equal(found?.['user'], 2)
    assert.equal(found?.['basket'], undefined)
  })

  it('keeps sessions apart, whatever their ids look like', async (store) => {
    await Promise.all(HOSTILE_NAMES.map((sid, at) => set(store, sid, session({ at }))))
    const found = await Promise.all(
      HOSTILE_NAMES.map(async (sid) => (await get(store, sid))?.['at']),
    )
    assert.deepEqual(found, [...HOSTILE_NAMES.keys()])
    await destroy(store, 'a%')
    assert.equal((await get(store, 'ab'))?.['at'], HOSTILE_NAMES.indexOf('ab'))
  })

  it('destroy() removes the session and no other', async (store) => {
    await set(store, 'a', session())
    await set(store, 'b', session())
    await destroy(store, 'a')
    assert.equal(await get(store, 'a'), undefined)
    assert.notEqual(await get(store, 'b'), undefined)
  })

  it('destroy() of an unknown session is no error', async (store) => {
    await destroy(store, 'unknown')
  })

  it('a destroyed session can be set anew', async (store) => {
    await set(store, 'a', session({ user: 1 }))
    await destroy(store, 'a')
    await set(store, 'a', session({ user: 2 }))
    assert.equal((await get(store, 'a'))?.['user'], 2)
  })
}

/** Tests that set() does not keep the object itself. */
export function declareCopies(it: It): void {
  it('set() keeps a copy: later changes of the object do not reach the store', async (store) => {
    const mine = session({ items: [1] })
    await set(store, 'a', mine)
    mine['items'].push(2)
    const found = await get(store, 'a')
    found?.['items'].push(3)
    assert.deepEqual((await get(store, 'a'))?.['items'], [1])
  })
}

/** Tests that the session ends with its cookie. */
export function declareExpiry(it: It): void {
  it('a session whose cookie has expired is not found', async (store) => {
    await set(store, 'short', session({}, 200))
    await set(store, 'long', session({}, 3_600_000))
    await waitFor(async () => (await get(store, 'short')) === undefined, {
      message: 'the short session expires',
    })
    assert.notEqual(await get(store, 'long'), undefined)
  })
}

/** Tests of prolonging a session, where the store can. */
export function declareTouch(it: It): void {
  const itTouches: It = (name, body) =>
    it(`touch() ${name}`, async (store) => {
      if (store.touch !== undefined) await body(store)
    })

  itTouches('leaves the data as it is stored', async (store) => {
    await set(store, 'a', session({ user: 1 }))
    await touch(store, 'a', session({ user: 2 }))
    assert.equal((await get(store, 'a'))?.['user'], 1)
  })

  itTouches('lets the session live longer', async (store) => {
    await set(store, 'touched', session({}, 2_000))
    await touch(store, 'touched', session({}, 3_600_000))
    await set(store, 'left', session({}, 2_000))
    await waitFor(async () => (await get(store, 'left')) === undefined, {
      message: 'the session that was not touched expires',
    })
    assert.notEqual(await get(store, 'touched'), undefined)
  })

  itTouches('of a destroyed session does not bring it back', async (store) => {
    await set(store, 'a', session())
    await destroy(store, 'a')
    await touch(store, 'a', session())
    assert.equal(await get(store, 'a'), undefined)
  })
}

/** Tests of what a store may have beyond that. */
export function declareOptional(it: It): void {
  it('all() returns every session', async (store) => {
    if (store.all === undefined) return
    for (const user of [1, 2, 3]) await set(store, `s${user}`, session({ user }))
    const found = await call((done) => store.all?.(done))
    // Documented as an array; express-session's own store answers with an object by id.
    const users = Object.values(found as ConformanceSession[]).map((one) => one['user'])
    assert.deepEqual(users.sort(), [1, 2, 3])
  })

  it('length() counts the sessions', async (store) => {
    if (store.length === undefined) return
    await set(store, 'a', session())
    await set(store, 'a', session())
    await set(store, 'b', session())
    assert.equal(Number(await call((done) => store.length?.(done))), 2)
  })

  it('clear() removes every session', async (store) => {
    if (store.clear === undefined) return
    await set(store, 'a', session())
    await set(store, 'b', session())
    await call((done) => store.clear?.(done))
    assert.deepEqual([await get(store, 'a'), await get(store, 'b')], [undefined, undefined])
  })
}

/** A session as express-session hands it to a store; without `maxAge` it lives as long as the browser. */
export function session(data: Record<string, unknown> = {}, maxAge?: number): ConformanceSession {
  const expires = maxAge === undefined ? null : new Date(Date.now() + maxAge)
  return { ...data, cookie: { path: '/', httpOnly: true, originalMaxAge: maxAge ?? null, expires } }
}

/** Answers by promise what a store answers by callback. */
export function call(
  start: (done: (error: unknown, value?: unknown) => void) => void,
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    start((error, value) => (error ? reject(error) : resolve(value)))
  })
}

/** Finds a session. */
export async function get(
  store: CallbackSessionStore,
  sid: string,
): Promise<ConformanceSession | undefined> {
  const found = await call((done) => store.get(sid, done)).catch((error) => {
    // The contract reads this error as "not found".
    if (error?.code === 'ENOENT') return undefined
    throw error
  })
  return (found as ConformanceSession | null) ?? undefined
}

/** Stores a session. */
export async function set(
  store: CallbackSessionStore,
  sid: string,
  value: ConformanceSession,
): Promise<void> {
  await call((done) => store.set(sid, value, done))
}

/** Ends a session. */
export async function destroy(store: CallbackSessionStore, sid: string): Promise<void> {
  await call((done) => store.destroy(sid, done))
}

async function touch(
  store: CallbackSessionStore,
  sid: string,
  value: ConformanceSession,
): Promise<void> {
  await call((done) => store.touch?.(sid, value, done))
}
