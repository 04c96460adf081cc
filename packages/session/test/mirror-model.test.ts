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
    await fc.assert(property, { numRuns: 150 })
  },
)
