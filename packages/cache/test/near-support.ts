import { Database, type DatabaseOptions, defineStatement, literal } from '@howdah/core'
import type { TestDatabase } from '@howdah/testkit'
import pg from 'pg'
import { migrations } from '../src/migrations/index.js'
import { Near } from '../src/near/near.js'

interface Row {
  value: string
  ttl: number | null
}

const read = defineStatement<[namespace: string, key: string], Row>(
  'test.read',
  (
    s,
  ) => `select e.value, extract(epoch from e.expires_at - statement_timestamp())::float8 * 1000 as ttl
    from ${s}.cache_entry e where e.namespace = (select id from ${s}.cache_namespace where name = $1::text)
      and e.key = $2::text and (e.expires_at is null or e.expires_at > statement_timestamp())`,
  (namespace, key) => [namespace, key],
)

/** A process of an application: a pool, a database handle, and a near cache on a namespace. */
export class NearApp implements AsyncDisposable {
  readonly pool: pg.Pool
  readonly db: Database
  readonly near: Near<string>
  readonly errors: unknown[] = []
  readonly namespace: string
  /** Runs between a read's answer and its storing. */
  pause: () => Promise<void> | void = () => {}

  constructor(
    url: string,
    namespace: string,
    options: DatabaseOptions & { maxStale?: number } = {},
  ) {
    const { maxStale = 10_000, ...rest } = options
    this.namespace = namespace
    this.pool = new pg.Pool({ connectionString: url, max: 4 })
    this.pool.on('error', () => {})
    this.db = Database.from(this.pool, { ...rest, hub: { liveness: '1m', ...rest.hub } })
    this.near = new Near(this.db, {
      namespace,
      logged: false,
      maxBytes: 1_000_000,
      maxStale,
      onError: (error) => this.errors.push(error),
    })
  }

  async get(key: string): Promise<string | undefined> {
    const entry = this.near.lookup(key)
    if (entry !== undefined) return entry.value as string
    await this.db.migrator.ensure(migrations)
    const fill = this.near.begin(key)
    const [row] = await this.db.query(read(this.db.schema, this.namespace, key))
    await this.pause()
    if (row === undefined) {
      this.near.abandon(fill)
      return undefined
    }
    const { value, ttl } = row
    const bytes = value.length
    this.near.store(fill, { value, encoded: undefined, bytes, ttl, sliding: false })
    return value
  }

  async set(key: string, value: string, ttl: number | null = null): Promise<void> {
    await this.db.migrator.ensure(migrations)
    await this.pool.query(put(this.namespace, key, value, ttl))
  }

  get hits(): number {
    return this.near.stats().hits
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.near.close()
    await this.db.close()
    await this.pool.end()
  }
}

/** SQL that sets a key. */
export function put(
  namespace: string,
  key: string,
  value: string,
  ttl: number | null = null,
): string {
  const list = (text: string) => `array[${literal(text)}]`
  return `select howdah.cache_put(${literal(namespace)}, ${list(key)}, ${list(value)}, array[${ttl}]::float8[])`
}

/** Reads until the key is served from memory; answers its value. */
export async function warm(app: NearApp, key: string): Promise<string | undefined> {
  const { waitFor } = await import('@howdah/testkit')
  return await waitFor(async () => {
    const before = app.hits
    const value = await app.get(key)
    return app.hits > before ? { value } : undefined
  }).then(({ value }) => value)
}

/** Names of the messages that the packages' caches send, proofs left out. */
export async function overhear(
  database: TestDatabase,
): Promise<{ names: string[]; proofs: () => number; close: () => Promise<void> }> {
  const pool = new pg.Pool({ connectionString: database.url })
  const db = Database.from(pool)
  const names: string[] = []
  let proofs = 0
  await db.hub.register('cache', {
    onMessage(name) {
      if (name === '!') proofs++
      else names.push(name)
    },
    onGap() {},
  })
  return {
    names,
    proofs: () => proofs,
    async close() {
      await db.close()
      await pool.end()
    },
  }
}
