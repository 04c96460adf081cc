import { Database } from '@howdah/core'
import { type TestDatabase, testDatabase } from '@howdah/testkit'
import type pg from 'pg'
import { afterAll, afterEach, beforeAll } from 'vitest'
import { Queue, type QueueOptions } from '../src/index.js'

/** The database of one test file, and the queues its tests make. */
export class Bench {
  database!: TestDatabase
  pool!: pg.Pool
  #made = 0
  readonly #open: Queue<never, never>[] = []

  constructor() {
    beforeAll(async () => {
      this.database = await testDatabase()
      this.pool = this.database.pool()
    })
    afterEach(async () => {
      await Promise.all(this.#open.splice(0).map((each) => each.close({ withinMs: 5_000 })))
    })
    afterAll(async () => {
      await Database.from(this.pool).close()
      await this.database.close()
    })
  }

  /** A queue that is closed after the test, by default with a name of its own and retries that hardly wait. */
  queue<T, R = unknown>(
    options: Partial<QueueOptions<T, R>> = {},
    name = this.fresh(),
  ): Queue<T, R> {
    const made = new Queue<T, R>(name, { pool: this.pool, backoff: 1, ...options })
    this.#open.push(made as unknown as Queue<never, never>)
    return made
  }

  /** A name no other test has. */
  fresh(): string {
    return `test-${++this.#made}`
  }

  async rows<Row extends pg.QueryResultRow>(text: string, values: unknown[] = []): Promise<Row[]> {
    return (await this.pool.query<Row>(text, values)).rows
  }
}

/** A promise and what settles it. */
export function deferred<T = void>() {
  let resolve: (value: T) => void = () => {}
  let reject: (error: unknown) => void = () => {}
  const promise = new Promise<T>((yes, no) => {
    resolve = yes
    reject = no
  })
  return { promise, resolve, reject }
}
