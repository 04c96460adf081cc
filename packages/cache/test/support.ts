import { type TestDatabase, testDatabase } from '@howdah/testkit'
import type pg from 'pg'
import { afterAll, beforeAll, onTestFinished } from 'vitest'
import { Cache, type CacheOptions } from '../src/index.js'

/** The database of one test file, and what its tests do to it. */
export class Bench {
  database!: TestDatabase
  pool!: pg.Pool
  /** As another process has it. */
  otherPool!: pg.Pool
  #made = 0

  constructor() {
    beforeAll(async () => {
      this.database = await testDatabase()
      this.pool = this.database.pool()
      this.otherPool = this.database.pool()
    })
    afterAll(() => this.database.close())
  }

  /** A cache that is closed at the end of the test, by default in a namespace of its own. */
  cache(options: Partial<CacheOptions> = {}): Cache {
    const cache = new Cache({ pool: this.pool, namespace: this.fresh(), ...options })
    onTestFinished(() => cache.close())
    return cache
  }

  /** A name no other test has. */
  fresh(): string {
    return `n${++this.#made}`
  }

  async rows<Row extends pg.QueryResultRow>(text: string, values: unknown[] = []): Promise<Row[]> {
    return (await this.pool.query<Row>(text, values)).rows
  }

  /** Makes the entries of a namespace as old as if the time had passed. */
  async age(namespace: string, interval: string, table = 'cache_entry'): Promise<void> {
    await this.pool.query(
      `update howdah.${table} e set expires_at = expires_at - $2::interval, gone_at = gone_at - $2::interval,
         lease_until = lease_until - $2::interval, accessed = accessed - extract(epoch from $2::interval)::int,
         expiry_bucket = (extract(epoch from coalesce(gone_at, expires_at) - $2::interval) / 300)::int
       where namespace = (select id from howdah.cache_namespace where name = $1)`,
      [namespace, interval],
    )
  }

  /** How many rows of a namespace there are, seen or not. */
  async count(namespace: string, table = 'cache_entry'): Promise<number> {
    const [row] = await this.rows<{ n: number }>(
      `select count(*)::int as n from howdah.${table}
       where namespace = (select id from howdah.cache_namespace where name = $1)`,
      [namespace],
    )
    return row?.n ?? 0
  }

  /** A connection in an open transaction; it is rolled back at the end of the test if it still is. */
  async begin(isolation = 'read committed'): Promise<pg.PoolClient> {
    const client = await this.pool.connect()
    await client.query(`begin isolation level ${isolation}`)
    onTestFinished(async () => {
      await client.query('rollback')
      client.release()
    })
    return client
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
