import assert from 'node:assert/strict'
import { type ConformanceRunner, type Subject, withSubject } from './runner.js'
import {
  type CallbackSessionStore,
  type ConformanceSession,
  declareCopies,
  declareExpiry,
  declareOptional,
  declareRequired,
  declareTouch,
  destroy,
  get,
  session,
  set,
} from './session-store-contract.js'

/** Makes an empty store for one test. */
export type FastifySessionStoreFactory = () =>
  | Promise<Subject<CallbackSessionStore>>
  | Subject<CallbackSessionStore>

/** What a store leaves to others. */
export interface FastifySessionStoreLimits {
  /** Whether the store keeps what it is given by value. The plugin's own one keeps the object itself. @defaultValue `true` */
  readonly copies?: boolean | undefined
  /** Whether the store ends sessions by itself. The plugin also looks at the cookie of what it loads, and its own store relies on that. @defaultValue `true` */
  readonly expiry?: boolean | undefined
}

/**
 * Declares tests of what @fastify/session asks of a store: to `get`, `set` and `destroy`, and to answer what its session objects can be made of.
 *
 * @see https://github.com/fastify/session#store
 *
 * @example
 * ```ts
 * import { describe, it } from 'node:test'
 * import session from '@fastify/session'
 * import { fastifySessionStoreConformance } from '@howdah/testkit'
 *
 * const factory = () => ({ subject: new session.MemoryStore() })
 * fastifySessionStoreConformance({ describe, it }, factory, { copies: false, expiry: false })
 * ```
 */
export function fastifySessionStoreConformance(
  runner: ConformanceRunner,
  factory: FastifySessionStoreFactory,
  { copies = true, expiry = true }: FastifySessionStoreLimits = {},
): void {
  const it = withSubject(runner, factory)
  runner.describe('@fastify/session store contract', () => {
    declareRequired(it)
    if (expiry) declareExpiry(it)
    declareTouch(it)
    declareOptional(it)
    declareSessionObjects(it)
    if (!copies) return
    declareCopies(it)
    declarePrototype(it)
  })
}

type It = ReturnType<typeof withSubject<CallbackSessionStore>>

const request = Symbol('conformance')

/** Is to the tests what the session objects of the plugin are to a store: data as keys, all else under symbols, and a cookie that is more than its JSON. */
class SessionObject {
  readonly [request] = { circular: this as unknown }
  cookie: { toJSON(): unknown };
  [key: string]: unknown

  constructor(stored: ConformanceSession) {
    const { toJSON = () => stored.cookie } = stored.cookie
    this.cookie = { ...stored.cookie, toJSON }
    // As the plugin does it: enumerable keys, by assignment.
    for (const key in stored) if (key !== 'cookie') this[key] = stored[key]
  }

  save(): void {}
}

function dataOf(found: ConformanceSession | undefined): unknown {
  const { cookie: _, ...data } = JSON.parse(JSON.stringify(found))
  return data
}

function declareSessionObjects(it: It): void {
  it('set() stores the data of a session object, and nothing that is under symbols', async (store) => {
    await set(store, 'a', new SessionObject(session({ user: 1 }, 60_000)) as ConformanceSession)
    const found = await get(store, 'a')
    assert.deepEqual(dataOf(found), { user: 1 })
    const { path, originalMaxAge, expires } = JSON.parse(JSON.stringify(found?.cookie))
    assert.deepEqual([path, originalMaxAge, typeof expires], ['/', 60_000, 'string'])
  })

  it('what get() answers makes a session object that can be changed and set', async (store) => {
    await set(store, 'a', session({ user: 1, basket: [1], old: true }))
    const made = new SessionObject((await get(store, 'a')) as ConformanceSession)
    assert.deepEqual(dataOf(made as ConformanceSession), { user: 1, basket: [1], old: true })
    made['user'] = 2
    delete made['old']
    await set(store, 'a', made as ConformanceSession)
    made['user'] = 3
    await set(store, 'a', made as ConformanceSession)
    assert.deepEqual(dataOf(await get(store, 'a')), { user: 3, basket: [1] })
  })

  it('all keys of a session can be taken over into another one', async (store) => {
    await set(store, 'old', session({ user: 1 }))
    const made = new SessionObject((await get(store, 'old')) as ConformanceSession)
    await destroy(store, 'old')
    await set(store, 'new', made as ConformanceSession)
    made['more'] = true
    await set(store, 'new', made as ConformanceSession)
    assert.equal(await get(store, 'old'), undefined)
    assert.deepEqual(dataOf(await get(store, 'new')), { user: 1, more: true })
  })
}

function declarePrototype(it: It): void {
  it('get() answers no key that would change the prototype of a copy', async (store) => {
    const hostile = JSON.parse('{"__proto__":{"admin":true},"user":1}')
    await set(store, 'a', { ...session(), ...hostile })
    const made = new SessionObject((await get(store, 'a')) as ConformanceSession)
    assert.equal('admin' in made, false)
    assert.equal(Object.getPrototypeOf(made), SessionObject.prototype)
    assert.equal(made['user'], 1)
  })
}
