import { Database, type DatabaseOptions } from '@howdah/core'
import { type TestDatabase, testDatabase } from '@howdah/testkit'
import type pg from 'pg'
import type { PoolConfig } from 'pg'
import { afterAll, afterEach, beforeAll, expect } from 'vitest'
import { PubSub, type PubSubOptions } from '../src/index.js'

/** Takes no connection for dead that is only slow, on a busy machine. */
const STEADY: DatabaseOptions = { hub: { liveness: '1m', reconnectMax: '200ms' } }

/** The parts of a test file: its database, and PubSubs on it as processes of an application would have them. */
export class Bench {
  #database: TestDatabase | undefined
  readonly #closing: (() => Promise<unknown>)[] = []
  #names = 0

  get database(): TestDatabase {
    if (this.#database === undefined) throw new Error('It is there from beforeAll on.')
    return this.#database
  }

  /** Runs with the test file. */
  use(open: () => Promise<TestDatabase> = () => testDatabase()): this {
    beforeAll(async () => {
      this.#database = await open()
    })
    afterEach(() => this.#close())
    afterAll(async () => {
      await this.#close()
      await this.#database?.close()
    })
    return this
  }

  /** A PubSub with a pool of its own, until the test ends. */
  process(
    options: Omit<PubSubOptions, 'pool'> = {},
    database: DatabaseOptions = {},
    config: PoolConfig = {},
  ): Process {
    const pool = this.database.pool(config)
    const hub = { ...STEADY.hub, ...database.hub }
    const db = Database.from(pool, { ...database, hub })
    const pubsub = new PubSub({ ...options, pool: db })
    this.#closing.push(async () => {
      await pubsub.close()
      await db.close()
      await pool.end()
    })
    return { pool, db, pubsub }
  }

  /** Runs when the test ends, with what closes the processes. */
  atEnd(close: () => Promise<unknown>): void {
    this.#closing.push(close)
  }

  /** A name no other test has. */
  name(prefix = 'channel'): string {
    return `${prefix}-${++this.#names}`
  }

  async #close(): Promise<void> {
    await Promise.all(this.#closing.splice(0).map((close) => close()))
  }
}

export interface Process {
  readonly pool: pg.Pool
  readonly db: Database
  readonly pubsub: PubSub
}

/** Notes what a subscriber is told, in order. */
export class Recorder<T = unknown> {
  readonly log: (T | 'gap')[] = []

  readonly listener = (message: T): void => {
    this.log.push(message)
  }

  readonly options = {
    onGap: (): void => {
      this.log.push('gap')
    },
  }
}

/** Looks again and again, for as long as a busy machine may take. */
export function eventually<T>(look: () => T) {
  return expect.poll(look, { timeout: 20_000, interval: 5 })
}
