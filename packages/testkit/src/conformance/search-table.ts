import type { SearchDefinitionUnderTest, SearchSubject, SearchUnderTest } from './search-index.js'

/** A row of the table that the suite searches. */
export interface Offer {
  readonly id: number
  readonly title: string | null
  readonly body: string | null
  readonly category?: string | null
  readonly tags?: readonly string[]
  readonly price?: number | null
}

export const OFFERS: readonly Offer[] = [
  {
    id: 1,
    title: 'Free music trial',
    body: 'Three months of music, free for students',
    category: 'audio',
    tags: ['new', 'music'],
    price: 0,
  },
  {
    id: 2,
    title: 'Running shoes',
    body: 'A discount on shoes for runners',
    category: 'sport',
    tags: ['new'],
    price: 90,
  },
  {
    id: 3,
    title: 'Bank account',
    body: 'A free bank account, and music to your ears',
    category: 'money',
    tags: [],
    price: 0,
  },
  {
    id: 4,
    title: 'Streaming',
    body: 'Video without end. A trial, free',
    category: 'video',
    tags: ['new', 'video'],
    price: 12,
  },
  { id: 5, title: 'A student bank', body: null, category: null, price: null },
]

export const DEFINITION: SearchDefinitionUnderTest = {
  table: 'conformance_offer',
  key: 'id',
  fields: { title: { weight: 2 }, body: {} },
  facets: ['category', 'tags'],
  filters: ['price'],
  sort: ['price', 'id'],
}
export const NAME = 'conformance'

/** Makes the table anew, with these rows, and no index on it. */
export async function fresh(subject: SearchSubject, rows: readonly Offer[]): Promise<void> {
  await subject.index(NAME, DEFINITION).detach()
  await subject.query('drop table if exists conformance_offer')
  await subject.query(`create table conformance_offer (
    id bigint primary key, title text, body text, category text, tags text[], price int)`)
  await insert(subject, rows)
}

/** The same, and an index on it. */
export async function attached(
  subject: SearchSubject,
  rows: readonly Offer[] = OFFERS,
): Promise<SearchUnderTest> {
  await fresh(subject, rows)
  const index = subject.index(NAME, DEFINITION)
  await index.attach()
  return index
}

/** Inserts rows as an application may that knows the table by its type alone. */
export async function insert(subject: SearchSubject, rows: readonly Offer[]): Promise<void> {
  await subject.query(
    'insert into conformance_offer select * from json_populate_recordset(null::conformance_offer, $1::text::json)',
    [JSON.stringify(rows)],
  )
}

/** Keys of what is found, in their order. */
export async function keys(
  index: SearchUnderTest,
  query: string,
  options?: Parameters<SearchUnderTest['search']>[1],
): Promise<string[]> {
  return (await index.search(query, options)).hits.map(({ key }) => key)
}

/** The same, where the order does not matter. */
export async function found(
  index: SearchUnderTest,
  query: string,
  options?: Parameters<SearchUnderTest['search']>[1],
): Promise<string[]> {
  return (await keys(index, query, options)).sort()
}
