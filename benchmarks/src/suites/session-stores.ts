/** The stores of the suite, each set up as its documentation says, and the same sessions in all of them. */
import { PgSessionStore } from '@howdah/session/express'
import connectPgSimple from 'connect-pg-simple'
import { RedisStore } from 'connect-redis'
import session, { type SessionData, type Store } from 'express-session'
import type { Pool } from 'pg'
import { createClient } from 'redis'
import type { Context } from '../suite.js'
import { idOf, SESSIONS, sessionOf } from './session-data.js'

/** A store as express-session uses it, under the name of its row in the tables. */
export interface NamedStore {
  readonly name: string
  readonly store: Store & Required<Pick<Store, 'touch'>>
}

export interface Stores {
  readonly pool: Pool
  readonly ours: NamedStore
  /** Ours on the same table, but every touch is due. */
  readonly oursDue: NamedStore
  readonly pgSimple: NamedStore
  readonly redis: NamedStore | undefined
}

export async function openStores(context: Context): Promise<Stores> {
  const pool = context.pool({ max: 10 })
  const open = (touchEvery: number) => {
    const store = new PgSessionStore({ pool, touchEvery, pruneInterval: false })
    context.onEnd(() => store.close())
    return store
  }
  return {
    pool,
    ours: { name: '@howdah/session', store: open(0.1) },
    oursDue: { name: '@howdah/session, due: writes', store: open(0) },
    pgSimple: { name: 'connect-pg-simple', store: pgSimple(context) },
    redis: await connectRedis(context),
  }
}

async function connectRedis({ redisUrl, onEnd }: Context): Promise<NamedStore | undefined> {
  if (redisUrl === undefined) return undefined
  const client = createClient({ url: redisUrl })
  client.on('error', () => {})
  await client.connect()
  onEnd(async () => client.destroy())
  return { name: 'connect-redis', store: new RedisStore({ client }) }
}

function pgSimple({ pool, onEnd }: Context): NamedStore['store'] {
  const PgStore = connectPgSimple(session)
  const store = new PgStore({
    pool: pool({ max: 10 }),
    createTableIfMissing: true,
    pruneSessionInterval: false,
  })
  onEnd(async () => store.close())
  return store
}

/** Calls a method of a store by callback, as express-session does. */
export function called<Value>(
  call: (callback: (error?: unknown, value?: Value | null) => void) => void,
): Promise<Value | null | undefined> {
  return new Promise((resolve, reject) => {
    call((error, value) => (error ? reject(error) : resolve(value)))
  })
}

/** Writes every session once into every store, many at a time. */
export async function fill({ pool, ours, pgSimple, redis }: Stores): Promise<void> {
  // Makes its table.
  await called((done) => pgSimple.store.set(idOf(0), sessionOf(0), done))
  for (let from = 0; from < SESSIONS; from += 1000) {
    const numbers = Array.from({ length: 1000 }, (_, n) => from + n)
    const set = ({ store }: NamedStore) =>
      numbers.map((n) => called((done) => store.set(idOf(n), sessionOf(n), done)))
    await Promise.all([ours, ...(redis === undefined ? [] : [redis])].flatMap(set))
    // Its own way of writing takes half a minute for all of them; the rows are the same.
    await pool.query(
      `insert into session (sid, sess, expire) select *, to_timestamp($3) from unnest($1::text[], $2::json[]) on conflict do nothing`,
      [numbers.map(idOf), numbers.map(jsonOf), Math.ceil(Date.now() / 1000) + 86_400],
    )
  }
}

function jsonOf(n: number): string {
  return JSON.stringify(sessionOf(n) satisfies SessionData)
}

/** What one session takes, in bytes. */
export interface SizeOfTable {
  readonly figure: string
  readonly name: string
  readonly heap: number
  readonly indexes: number
}

export async function bytesOfSessions({ pool, ours, pgSimple }: Stores): Promise<SizeOfTable[]> {
  const sizeOf = async (figure: string, name: string, table: string) => {
    const { rows } = await pool.query<{ heap: number; indexes: number }>(
      `select pg_table_size($1::regclass)::float8 / $2 as heap, pg_indexes_size($1::regclass)::float8 / $2 as indexes`,
      [table, SESSIONS],
    )
    return { figure, name, ...(rows[0] as { heap: number; indexes: number }) }
  }
  return [
    await sizeOf('session', ours.name, 'howdah.session'),
    await sizeOf('connect_pg_simple', pgSimple.name, 'public.session'),
  ]
}
