import type { Facet, Filter, SearchIndexOptions, SearchOptions } from '@howdah/search'
import fc from 'fast-check'
import type { Pool } from 'pg'
import { random } from './brute-force.js'

/** A row of a table that tenants share. */
export interface Note {
  readonly id: number
  readonly tenant_id: string | null
  readonly title: string
  readonly body: string
  readonly category: string
  readonly price: number
}

export const COLUMNS =
  '(id int primary key, tenant_id text, title text, body text, category text, price int)'

export const OPTIONS: Omit<SearchIndexOptions, 'pool' | 'table'> = {
  key: 'id',
  fields: { title: { weight: 2 }, body: {} },
  facets: ['category'],
  filters: ['price'],
  sort: ['price'],
  language: 'simple',
  tenant: 'tenant_id',
}

const LETTERS = 'abcdefghijklmnopqrstuvwxyz'

/** Words of a tenant: some that all have, some of its own, and some that are one letter away from those of others. */
export function wordsOf(tenant: string): string[] {
  const shared = made(random(5), 150)
  const own = made(random(tenant.charCodeAt(0) * 7), 150)
  const near = shared.slice(0, 60).map((word) => `${word.slice(0, 2)}${tenant[0]}${word.slice(2)}`)
  return [...shared, ...own, ...near]
}

function made(next: () => number, count: number): string[] {
  return Array.from({ length: count }, () =>
    Array.from({ length: 4 + Math.floor(next() * 6) }, () => LETTERS[Math.floor(next() * 26)]).join(
      '',
    ),
  )
}

/** Rows of a tenant, of which the values of `category` name it, too. */
export function notesOf(tenant: string, first: number, count: number): Note[] {
  const next = random(first + count)
  const words = wordsOf(tenant)
  const text = (most: number) =>
    Array.from(
      { length: Math.floor(next() * most) },
      () => words[Math.floor(words.length ** next()) - 1],
    ).join(' ')
  return Array.from({ length: count }, (_, at) => ({
    id: first + at,
    tenant_id: tenant,
    title: text(5),
    body: text(25),
    category:
      next() < 0.3
        ? `${tenant.slice(0, 10)} only`
        : (['red', 'green', 'blue'][Math.floor(next() * 3)] ?? ''),
    price: Math.floor(next() * 50),
  }))
}

export async function insertNotes(
  pool: Pick<Pool, 'query'>,
  table: string,
  notes: readonly Note[],
): Promise<void> {
  await pool.query(
    `insert into ${table} select * from json_populate_recordset(null::${table}, $1)`,
    [JSON.stringify(notes)],
  )
}

/** What a search may be asked. */
export interface Asked {
  readonly query: string
  readonly options: SearchOptions
}

/** Queries of words of some tenants, also mistyped ones, with everything that can be asked besides. */
export function askedOf(tenants: readonly string[]): fc.Arbitrary<Asked> {
  const word = fc.constantFrom(...tenants.flatMap(wordsOf))
  const mistyped = fc
    .tuple(word, fc.nat({ max: 8 }), fc.constantFrom(...LETTERS))
    .map(([one, at, letter]) => `${one.slice(0, at)}${letter}${one.slice(at + 1)}`)
  const clause = fc.oneof(
    { weight: 6, arbitrary: word },
    { weight: 3, arbitrary: mistyped },
    { weight: 1, arbitrary: word.map((one) => `-${one}`) },
    { weight: 1, arbitrary: word.map((one) => `${one.slice(0, 2)}*`) },
    { weight: 1, arbitrary: word.map((one) => `title:${one}`) },
    { weight: 1, arbitrary: fc.tuple(word, word).map(([a, b]) => `"${a} ${b}"`) },
    { weight: 1, arbitrary: fc.constant('OR') },
  )
  const filters: fc.Arbitrary<Filter> = fc.oneof(
    fc.constant({}),
    fc.constantFrom<Filter>(
      { category: 'red' },
      { category: tenants.map((one) => `${one.slice(0, 10)} only`) },
      { price: { gte: 10, lt: 30 } },
      { $not: { category: ['green', 'blue'] } },
    ),
  )
  const facets = fc.constantFrom<readonly Facet[]>([], ['category'], ['category'])
  return fc.record({
    query: fc.array(clause, { maxLength: 5 }).map((clauses) => clauses.join(' ')),
    options: fc.record({
      mode: fc.constantFrom('any' as const, 'any' as const, 'all' as const),
      minimumMatch: fc.constantFrom(1, 1, 2),
      filters,
      facets,
      limit: fc.constantFrom(0, 3, 20),
      offset: fc.constantFrom(0, 0, 5),
      prefix: fc.boolean(),
      highlight: fc.constant(true as const),
      sort: fc.constantFrom(undefined, undefined, ['price']),
    }),
  })
}
