import { Database } from '@howdah/core'
import { type TestDatabase, testDatabase } from '@howdah/testkit'
import type pg from 'pg'
import { afterAll, afterEach, beforeAll } from 'vitest'
import { PubSub, type StreamMessage } from '../src/index.js'

/** The database of one test file, and what its tests make on two pools, each of which stands for a process. */
export class TwoProcesses {
  database!: TestDatabase
  pools!: readonly [pg.Pool, pg.Pool]
  /** Of a superuser, for roles, and for what is done to our own tables. */
  admin!: pg.Pool
  #made = 0
  readonly #open: PubSub[] = []

  constructor() {
    beforeAll(async () => {
      this.database = await testDatabase()
      this.pools = [this.database.pool(), this.database.pool()]
      this.admin = this.database.adminPool()
    })
    afterEach(async () => {
      await Promise.all(this.#open.splice(0).map((each) => each.close()))
    })
    afterAll(async () => {
      await Promise.all(this.pools.map((pool) => Database.from(pool).close()))
      await this.database.close()
    })
  }

  /** A PubSub on one of two pools, closed after the test. */
  pubSub(process: 0 | 1 = 0): PubSub {
    const made = new PubSub({ pool: this.pools[process] })
    this.#open.push(made)
    return made
  }

  /** A name no other test has. */
  fresh(): string {
    return `test-${++this.#made}`
  }

  async rows<Row extends pg.QueryResultRow>(text: string, values: unknown[] = []): Promise<Row[]> {
    return (await this.pools[0].query<Row>(text, values)).rows
  }
}

/** What messages say, in their order. */
export function payloads<T>(messages: readonly StreamMessage<T>[]): T[] {
  return messages.map(({ payload }) => payload)
}

/** A promise and what settles it. */
export function deferred<T = void>() {
  let resolve: (value: T) => void = () => {}
  const promise = new Promise<T>((yes) => {
    resolve = yes
  })
  return { promise, resolve }
}
