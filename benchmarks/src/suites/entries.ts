import { type Coalescer, Database, defineStatement } from '@howdah/core'
import type { Pool, QueryConfig, QueryResult } from 'pg'
import type { Contender } from '../suite.js'

/**
 * The data and the operations of the core suites: a text key and a value of 100 bytes in an UNLOGGED table of 100,000 rows.
 */
export const ROWS = 100_000
export const VALUE = 'v'.repeat(100)

interface Entry {
  readonly key: string
  readonly value: string
}

const selectEntries = defineStatement<[keys: readonly string[]], Entry>(
  'bench.select',
  (s) => `select key, value from ${s}.entry where key = any($1::text[])`,
  (keys) => [keys],
)

const upsertEntries = defineStatement<[entries: readonly Entry[]]>(
  'bench.upsert',
  (s) => `
    insert into ${s}.entry (key, value)
    select key, value from unnest($1::text[], $2::text[]) as input (key, value)
    on conflict (key) do update set value = excluded.value`,
  (entries) => [entries.map(({ key }) => key), entries.map(({ value }) => value)],
)

/** A pool, a connection, or several connections taken in turns. */
export interface Connections {
  query<Row extends object>(query: QueryConfig): Promise<QueryResult<Row>>
}

/** Fills the table and answers the random order in which every contender goes through the keys. */
export async function prepareEntries(pool: Pool): Promise<(at: number) => string> {
  await pool.query('create schema if not exists bench')
  await pool.query('create unlogged table bench.entry (key text primary key, value text not null)')
  await pool.query(
    `insert into bench.entry select 'entry:' || n, $1 from generate_series(0, $2::int - 1) as n`,
    [VALUE, ROWS],
  )
  await pool.query('vacuum analyze bench.entry')
  return randomKeys('entry:', ROWS)
}

/** A fixed sequence (Numerical Recipes' generator), so that every run and contender works on equal keys. */
export function randomNumbers(count: number): (at: number) => number {
  let state = 1
  const numbers = Array.from({ length: 2 ** 17 }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state % count
  })
  return (at) => numbers[at % numbers.length] as number
}

/** Keys in the order of {@link randomNumbers}. */
export function randomKeys(prefix: string, count: number): (at: number) => string {
  const numberAt = randomNumbers(count)
  const keys = Array.from({ length: 2 ** 17 }, (_, at) => prefix + numberAt(at))
  return (at) => keys[at % keys.length] as string
}

export function coalescedGet(
  name: string,
  pool: Pool,
  keyAt: (at: number) => string,
  coalescer?: Coalescer,
): Contender {
  const db = Database.from(pool, { schema: 'bench' })
  const get = (coalescer ?? db.coalescer).operation<string, string | undefined>({
    key: (key) => key,
    duplicates: 'share',
    async run(keys) {
      const rows = await db.query(selectEntries(db.schema, keys))
      const values = new Map<string, string>()
      for (const { key, value } of rows) values.set(key, value)
      return keys.map((key) => values.get(key))
    },
  })
  return { name, call: async (at) => checkValue(await get(keyAt(at))) }
}

export function singleGet(
  name: string,
  connections: Connections,
  keyAt: (at: number) => string,
): Contender {
  const query = {
    name: 'bench.single.select',
    text: 'select value from bench.entry where key = $1',
  }
  return {
    name,
    async call(at) {
      const { rows } = await connections.query<{ value: string }>({ ...query, values: [keyAt(at)] })
      checkValue(rows[0]?.value)
    },
  }
}

export function coalescedSet(
  name: string,
  pool: Pool,
  keyAt: (at: number) => string,
  coalescer?: Coalescer,
): Contender {
  const db = Database.from(pool, { schema: 'bench' })
  const set = (coalescer ?? db.coalescer).operation<Entry, void>({
    key: ({ key }) => key,
    bytes: ({ key, value }) => key.length + value.length,
    duplicates: 'last',
    async run(entries) {
      await db.query(upsertEntries(db.schema, entries))
      return new Array<undefined>(entries.length)
    },
  })
  return { name, call: (at) => set({ key: keyAt(at), value: VALUE }) }
}

export function singleSet(
  name: string,
  connections: Connections,
  keyAt: (at: number) => string,
): Contender {
  const query = {
    name: 'bench.single.upsert',
    text: `insert into bench.entry (key, value) values ($1, $2)
           on conflict (key) do update set value = excluded.value`,
  }
  return {
    name,
    async call(at) {
      await connections.query({ ...query, values: [keyAt(at), VALUE] })
    },
  }
}

/** A benchmark that answers wrongly measures nothing. */
export function checkValue(value: string | null | undefined): void {
  if (value?.length !== VALUE.length) throw new Error('A contender answered with a wrong value.')
}
