import { mirror, PgSessionStore, type SessionMirror } from '@howdah/session/express'
import { type TestDatabase, testDatabase } from '@howdah/testkit'
import { RedisStore } from 'connect-redis'
import session, { type SessionData, type Store } from 'express-session'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { ask, load, sessionOf } from './moving-support.js'
import { hasRedis, RedisServer } from './redis-server.js'

type Data = SessionData & Record<string, unknown>

let database: TestDatabase
let store: PgSessionStore

beforeAll(async () => {
  database = await testDatabase()
  store = new PgSessionStore({ pool: database.pool() })
})
afterAll(async () => {
  await store.close()
  await database.close()
})

async function has(of: Store, sid: string): Promise<Record<string, unknown> | null> {
  const found = await ask<SessionData>((done) => of.get(sid, done))
  if (!found) return null
  const { cookie: _, ...data } = JSON.parse(JSON.stringify(found))
  return data
}

const sids = fc.constantFrom('a', 'b', 'c')
const steps = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({ does: fc.constant('begin' as const), sid: sids, value: fc.nat(9) }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      does: fc.constant('change' as const),
      sid: sids,
      key: fc.constantFrom('x', 'y', '__proto__'),
      value: fc.option(fc.jsonValue({ maxDepth: 2 })),
    }),
  },
  { weight: 2, arbitrary: fc.record({ does: fc.constant('touch' as const), sid: sids }) },
  { weight: 2, arbitrary: fc.record({ does: fc.constant('end' as const), sid: sids }) },
  {
    weight: 3,
    arbitrary: fc.record({
      does: fc.constant('switch' as const),
      process: fc.nat(1),
      readFrom: fc.constantFrom('old' as const, 'new' as const),
    }),
  },
)

test.skipIf(!hasRedis)(
  'whatever is done, and wherever is read from in each of two processes, both stores have what a map has',
  async () => {
    const server = await RedisServer.start()
    onTestFinished(() => server.close())
    const old = new RedisStore({ client: await server.client() })
    const property = fc.asyncProperty(
      fc.array(fc.tuple(fc.nat(1), steps), { maxLength: 30 }),
      async (run) => {
        await Promise.all([old.clear(), store.clear()])
        const both = [0, 1].map(() => mirror(old, store, { readFrom: 'old', shadow: false }))
        const model = new Map<string, Record<string, unknown>>()
        for (const [at, step] of run) {
          const of = both[at] as SessionMirror
          if (step.does === 'switch') {
            both[step.process]?.switch({ readFrom: step.readFrom, shadow: false })
            continue
          }
          const { sid } = step
          const known = model.get(sid)
          const found = (await load(of, sid)) as Data | undefined
          expect(found === undefined).toBe(known === undefined)
          if (step.does === 'begin' && known === undefined) {
            await of.set(sid, sessionOf({ value: step.value }))
            model.set(sid, { value: step.value })
          } else if (step.does === 'end') {
            await of.destroy(sid)
            model.delete(sid)
          } else if (step.does === 'touch' && found) {
            await of.touch(sid, found)
          } else if (step.does === 'change' && found && known) {
            if (step.value === null) delete found[step.key]
            else found[step.key] = step.value
            if (step.key !== '__proto__') {
              if (step.value === null) delete known[step.key]
              else known[step.key] = step.value
            }
            await of.set(sid, found)
          }
        }
        for (const sid of ['a', 'b', 'c']) {
          const expected = model.get(sid) ?? null
          const plain = JSON.parse(JSON.stringify(expected))
          expect([await has(old, sid), await has(store, sid)]).toEqual([plain, plain])
        }
      },
    )
    await fc.assert(property, { numRuns: 60 })
  },
)

/** A store each of whose calls begins, and is answered, when the scheduler says so. */
function scheduled(of: Store, name: string, scheduler: fc.Scheduler): Store {
  const turn = (what: string) => scheduler.schedule(Promise.resolve(), `${name} ${what}`)
  const wrap =
    (method: 'get' | 'set' | 'destroy') =>
    async (sid: string, ...rest: unknown[]): Promise<void> => {
      const callback = rest.pop() as (...answer: unknown[]) => void
      await turn(`${method} begins`)
      const answer = await ask((done) =>
        (of[method] as (...args: unknown[]) => unknown)(sid, ...rest, done),
      )
      await turn(`${method} answers`)
      callback(null, answer)
    }
  const methods = { get: wrap('get'), set: wrap('set'), destroy: wrap('destroy') }
  // The objects a store makes must be made by the store itself, which knows them again.
  return Object.assign(Object.create(of) as Store, methods, {
    createSession: of.createSession.bind(of),
  })
}

test.each(['old', 'new'] as const)(
  'in whatever order the calls of saves and a logout arrive, the stores agree; read from %s',
  async (readFrom) => {
    const property = fc.asyncProperty(fc.scheduler(), fc.boolean(), async (scheduler, logsOut) => {
      const old = new session.MemoryStore()
      await store.clear()
      await mirror(old, store, { readFrom, shadow: false }).set('a', sessionOf({ name: 'ann' }))
      // Two processes, each with a mirror of its own, and requests that have loaded the session.
      const processes = [0, 1].map((at) =>
        mirror(
          scheduled(old, `old of ${at}`, scheduler),
          scheduled(store, `new of ${at}`, scheduler),
          { readFrom, shadow: false, timeout: '1m' },
        ),
      )
      const requests = await scheduler.waitFor(
        Promise.all(processes.map((process) => load(process, 'a'))),
      )
      const saves = processes.map((process, at) =>
        process.set('a', Object.assign(requests[at] as Data, { [`k${at}`]: at })),
      )
      const logout = logsOut ? (processes[0] as SessionMirror).destroy('a') : Promise.resolve()
      await scheduler.waitFor(Promise.all([...saves, logout]))
      const [inOld, inNew] = [await has(old, 'a'), await has(store, 'a')]
      if (readFrom === 'new') {
        const expected = logsOut ? null : { name: 'ann', k0: 0, k1: 1 }
        expect([inOld, inNew]).toEqual([expected, expected])
      } else if (logsOut) {
        // The memory store lets a save bring a session back. The new one must not have what the old one has not.
        expect([inOld, null]).toContainEqual(inNew)
      } else expect(inNew).toEqual(inOld)
    })
    await fc.assert(property, { numRuns: 60 })
  },
)

function deferred<T = void>() {
  let resolve: (value: T) => void = () => {}
  const promise = new Promise<T>((done) => {
    resolve = done
  })
  return { promise, resolve }
}

/** One who calls stores only when told to. */
class Actor {
  #arrive = deferred<boolean>()
  #go = deferred<void>()
  #answered = deferred<void>()

  store(of: Store): Store {
    const wrap =
      (method: 'get' | 'set' | 'destroy') =>
      async (sid: string, ...rest: unknown[]): Promise<void> => {
        const callback = rest.pop() as (...answer: unknown[]) => void
        this.#arrive.resolve(true)
        await this.#go.promise
        this.#go = deferred<void>()
        this.#arrive = deferred<boolean>()
        const call = of[method] as (...args: unknown[]) => unknown
        const answer = await ask((done) => call.call(of, sid, ...rest, done))
        this.#answered.resolve()
        callback(null, answer)
      }
    return Object.assign(Object.create(of) as Store, {
      get: wrap('get'),
      set: wrap('set'),
      destroy: wrap('destroy'),
      createSession: of.createSession.bind(of),
    })
  }

  finish(): void {
    this.#arrive.resolve(false)
  }

  /** Lets it make one call, where it has one more to make, and waits for the answer. */
  async step(): Promise<boolean> {
    if (!(await this.#arrive.promise)) return false
    this.#answered = deferred()
    this.#go.resolve()
    await this.#answered.promise
    return true
  }
}

/** Every order of so many steps of the one and of the other. */
function orders(saves: number, ends: number): string[] {
  if (saves === 0 || ends === 0) return ['s'.repeat(saves) + 'e'.repeat(ends)]
  return [
    ...orders(saves - 1, ends).map((rest) => `s${rest}`),
    ...orders(saves, ends - 1).map((rest) => `e${rest}`),
  ]
}

test.each(['old', 'new'] as const)(
  'in every order of the calls of a save and a logout, nobody is logged in after it; read from %s',
  async (readFrom) => {
    for (const order of orders(6, 4)) {
      const old = new session.MemoryStore()
      await store.clear()
      const options = { readFrom, shadow: false, timeout: '1m' } as const
      await mirror(old, store, options).set('a', sessionOf({ name: 'ann' }))
      const [saver, ender] = [new Actor(), new Actor()]
      const saving = mirror(saver.store(old), saver.store(store), options)
      const ending = mirror(ender.store(old), ender.store(store), options)
      const loading = load(saving, 'a')
      await saver.step()
      const request = Object.assign((await loading) as Data, { step: 2 })
      const save = saving.set('a', request).finally(() => saver.finish())
      const end = ending.destroy('a').finally(() => ender.finish())
      for (const step of order) await (step === 's' ? saver : ender).step()
      while (await saver.step());
      while (await ender.step());
      await Promise.all([save, end])
      const [inOld, inNew] = [await has(old, 'a'), await has(store, 'a')]
      // The memory store lets a save bring a session back. The new one must not have what the old one has not.
      if (readFrom === 'old') expect([inOld, null], order).toContainEqual(inNew)
      else expect([inOld, inNew], order).toEqual([null, null])
    }
  },
)
