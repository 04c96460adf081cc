import fastifySession from '@fastify/session'
import {
  fastifySessionStoreConformance,
  type KeyValueStore,
  keyValueConformance,
  sessionStoreConformance,
} from '@howdah/testkit'
import session from 'express-session'
import { describe, expect, it, test } from 'vitest'

describe("express-session's own MemoryStore", () => {
  sessionStoreConformance({ describe, it }, () => ({ subject: new session.MemoryStore() }))
})

describe("@fastify/session's own MemoryStore, which keeps the objects it is given", () => {
  const factory = () => ({ subject: new fastifySession.MemoryStore() })
  fastifySessionStoreConformance({ describe, it }, factory, { copies: false, expiry: false })
})

class MapStore implements KeyValueStore {
  readonly #entries = new Map<string, { json: string; until: number }>()

  async get(key: string): Promise<unknown> {
    const entry = this.#entries.get(key)
    if (entry === undefined || entry.until <= performance.now()) return undefined
    return JSON.parse(entry.json)
  }

  async set(
    key: string,
    value: unknown,
    options: { ttl?: number | undefined } = {},
  ): Promise<void> {
    const until = performance.now() + (options.ttl ?? Number.POSITIVE_INFINITY)
    this.#entries.set(key, { json: JSON.stringify(value), until })
  }

  async delete(key: string): Promise<boolean> {
    const there = (await this.get(key)) !== undefined
    return this.#entries.delete(key) && there
  }
}

describe('a store over a Map', () => {
  keyValueConformance({ describe, it }, () => ({ subject: new MapStore() }))
})

/** Runs a suite over a store and returns the names of the tests that failed. */
async function failures(
  declare: (runner: { describe: Describe; it: It }) => void,
): Promise<string[]> {
  const bodies: [string, () => Promise<void>][] = []
  declare({ describe: (_name, body) => body(), it: (name, body) => bodies.push([name, body]) })
  const failed: string[] = []
  for (const [name, body] of bodies) await body().catch(() => failed.push(name))
  return failed
}
type Describe = (name: string, body: () => void) => void
type It = (name: string, body: () => Promise<void>) => void

test('the session suite finds a store whose touch() brings destroyed sessions back', async () => {
  class Resurrecting extends session.MemoryStore {
    override touch(sid: string, value: session.SessionData, callback?: () => void): void {
      this.set(sid, value, callback)
    }
  }
  expect(
    await failures((runner) =>
      sessionStoreConformance(runner, () => ({ subject: new Resurrecting() })),
    ),
  ).toEqual([
    'touch() leaves the data as it is stored',
    'touch() of a destroyed session does not bring it back',
  ])
})

test('the key-value suite finds a store that keeps references', async () => {
  class Sharing extends MapStore {
    readonly #values = new Map<string, unknown>()
    override async get(key: string): Promise<unknown> {
      return (await super.get(key)) === undefined ? undefined : this.#values.get(key)
    }
    override async set(key: string, value: unknown, options?: { ttl?: number }): Promise<void> {
      this.#values.set(key, value)
      await super.set(key, value, options)
    }
  }
  expect(
    await failures((runner) => keyValueConformance(runner, () => ({ subject: new Sharing() }))),
  ).toEqual(['set() and get() copy: later changes of an object do not reach the store'])
})

test('a suite disposes of what the factory made, also when the test fails', async () => {
  let open = 0
  class Broken extends MapStore {
    override async set(): Promise<void> {
      throw new Error('broken')
    }
  }
  const failed = await failures((runner) =>
    keyValueConformance(runner, () => {
      open++
      return {
        subject: new Broken(),
        dispose: () => {
          open--
        },
      }
    }),
  )
  expect(failed.length).toBeGreaterThan(0)
  expect(open).toBe(0)
})
