import type { FacetRange, Filter, FilterCondition, FilterValue } from '@howdah/search'
import fc from 'fast-check'

/** A row of the table that filters and facets are tested on; the columns but `weight` have words of their values in the index. */
export interface Offer {
  readonly id: number
  readonly body: string
  readonly category: string | null
  readonly tags: readonly (string | null)[] | null
  readonly amounts: readonly (string | null)[] | null
  readonly n: number | null
  readonly price: string | null
  readonly day: string | null
  readonly at: string | null
  readonly paid: boolean | null
  readonly size: string | null
  readonly code: string | null
  readonly weight: number | null
}
export type Column = Exclude<keyof Offer, 'id' | 'body'>

export const TABLE = `
  create type size as enum ('small', 'large', 'medium');
  create table offer (id int primary key, body text, category text, tags text[], amounts numeric[], n int, price numeric,
    day date, at timestamptz, paid boolean, size size, code char(6), weight float8)`
export const COLUMNS: readonly Column[] = [
  'category',
  'tags',
  'amounts',
  'n',
  'price',
  'day',
  'at',
  'paid',
  'size',
  'code',
  'weight',
]

const LONG = 'long '.repeat(1000)
export const TEXTS = [
  'audio',
  'video',
  'Audio',
  '',
  ' ',
  'a b',
  '__proto__',
  'constructor',
  "it's",
  "'; drop table offer; --",
  '\\',
  '\\x01',
  'a\\b',
  '"quoted"',
  '\u0001',
  '\u00010=audio',
  '\u00010',
  '🎷',
  '{a,b}',
  'null',
  'x'.repeat(1000),
  'x'.repeat(1001),
  LONG,
  `${LONG}!`,
  'ü'.repeat(600),
]
const NUMERICS = [
  '0',
  '1',
  '1.0',
  '1.00',
  '1e0',
  '2.5',
  '2.50',
  '-3.25',
  '1000000',
  '0.0001',
  'NaN',
]
const DAYS = ['2026-01-01', '2026-01-02', '2026-02-28', '1999-12-31', '0044-03-15']
const TIMES = [
  '2026-01-01T00:00:00.000Z',
  '2026-01-01T01:00:00+01:00',
  '2026-01-01T00:00:00.123456Z',
  '2026-03-01T12:00:00Z',
]
const SIZES = ['small', 'large', 'medium']
const CODES = ['ab', 'ab ', 'AB', 'abc', 'abcdef']

/** The values of each column, of which each two that are equal are written in several ways. */
const POOLS: Readonly<Record<Column, readonly (string | number | boolean)[]>> = {
  category: TEXTS,
  tags: TEXTS,
  amounts: NUMERICS,
  n: [0, 1, 2, 3, 5, 8, -13, 2_000_000_000],
  price: NUMERICS,
  day: DAYS,
  at: TIMES,
  paid: [true, false],
  size: SIZES,
  code: CODES,
  weight: [0, -0, 0.1, 2.5, 1e300],
}
const RANGED: readonly Column[] = ['amounts', 'n', 'price', 'day', 'at', 'paid', 'size', 'weight']
const LISTS: readonly Column[] = ['tags', 'amounts']

/** What two equal values have in common, and by which they are in order. */
function orderOf(column: Column, value: unknown): string | number {
  if (column === 'size') return SIZES.indexOf(String(value))
  if (column === 'code') return String(value).trimEnd()
  if (column === 'at') {
    const text = String(value)
    const micros = /\.\d{3}(\d{3})/.exec(text)?.[1] ?? '0'
    return Date.parse(text) * 1000 + Number(micros)
  }
  if (column === 'category' || column === 'tags' || column === 'day') return String(value)
  if (column === 'paid') return String(value) === 'true' ? 1 : 0
  const number = Number(value)
  // PostgreSQL has it above all others, and equal to itself.
  return Number.isNaN(number) ? Number.MAX_VALUE : number + 0
}

function valuesOf(row: Offer, column: Column): (string | number)[] {
  const value = row[column]
  const all = Array.isArray(value) ? value : [value]
  return all.filter((one) => one !== null).map((one) => orderOf(column, one))
}

function hasOneOf(row: Offer, column: Column, values: readonly unknown[]): boolean {
  if (row[column] === null) return values.includes(null)
  const wanted = values.filter((one) => one !== null).map((one) => orderOf(column, one))
  return valuesOf(row, column).some((one) => wanted.includes(one))
}

function meets(row: Offer, column: Column, condition: FilterCondition): boolean {
  const { not, exists, gt, gte, lt, lte } = condition
  if (not !== undefined && hasOneOf(row, column, [not].flat())) return false
  if (exists !== undefined && exists === (row[column] === null)) return false
  if ([gt, gte, lt, lte].every((bound) => bound === undefined)) return true
  return valuesOf(row, column).some(
    (one) =>
      (gt === undefined || one > orderOf(column, gt)) &&
      (gte === undefined || one >= orderOf(column, gte)) &&
      (lt === undefined || one < orderOf(column, lt)) &&
      (lte === undefined || one <= orderOf(column, lte)),
  )
}

/** Whether a row has a value in a range of a facet. */
export function isWithin(row: Offer, column: Column, { from, to }: FacetRange): boolean {
  if (from === undefined && to === undefined) return valuesOf(row, column).length > 0
  return meets(row, column, {
    ...(from === undefined ? {} : { gte: from }),
    ...(to === undefined ? {} : { lt: to }),
  })
}

/** Whether a filter holds for a row. */
export function holds(row: Offer, filter: Filter): boolean {
  return Object.entries(filter).every(([name, value]) => {
    if (name === '$not') return !holds(row, value as Filter)
    if (name === '$and') return (value as Filter[]).every((one) => holds(row, one))
    if (name === '$or') return (value as Filter[]).some((one) => holds(row, one))
    const column = name as Column
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      return meets(row, column, value as FilterCondition)
    }
    return hasOneOf(row, column, [value].flat())
  })
}

/** How many of the rows have each value, by what equal ones have in common; values of more than 1000 bytes are not counted. */
export function countsOf(rows: readonly Offer[], column: Column): Map<string | number, number> {
  const counts = new Map<string | number, number>()
  for (const row of rows) {
    for (const value of new Set(valuesOf(row, column))) {
      if (typeof value === 'string' && Buffer.byteLength(value) > 1000) continue
      counts.set(value, (counts.get(value) ?? 0) + 1)
    }
  }
  return counts
}

/** The same of what a search answered. */
export function keyOf(column: Column, value: unknown): string | number {
  return orderOf(column, value)
}

const anyOf = (column: Column) => fc.constantFrom(...POOLS[column])
const nullable = (column: Column) => fc.option(anyOf(column), { freq: 4 })

/** Any row, but for its number and text. */
export const values: fc.Arbitrary<Omit<Offer, 'id' | 'body'>> = fc.record(
  Object.fromEntries(
    COLUMNS.map((column) => [
      column,
      LISTS.includes(column)
        ? fc.option(fc.array(nullable(column), { maxLength: 4 }), { freq: 4 })
        : nullable(column),
    ]),
  ),
) as unknown as fc.Arbitrary<Omit<Offer, 'id' | 'body'>>

const bounds = (column: Column) =>
  fc.record(
    { gt: anyOf(column), gte: anyOf(column), lt: anyOf(column), lte: anyOf(column) },
    { requiredKeys: [] },
  )
const oneOf = (column: Column): fc.Arbitrary<FilterValue | FilterValue[]> =>
  fc.oneof(nullable(column), fc.array(nullable(column), { maxLength: 3 }))

function condition(column: Column): fc.Arbitrary<FilterValue | FilterValue[] | FilterCondition> {
  const conditions = fc
    .tuple(
      RANGED.includes(column) ? bounds(column) : fc.constant({}),
      fc.record({ not: oneOf(column), exists: fc.boolean() }, { requiredKeys: [] }),
    )
    .map(([range, others]) => ({ ...range, ...others }))
    .filter((one) => Object.keys(one).length > 0)
  return fc.oneof(oneOf(column), conditions)
}

/** A filter on some of the columns. */
export function filterOn(columns: readonly Column[]): fc.Arbitrary<Filter> {
  const { filter } = fc.letrec<{ filter: Filter }>((tie) => ({
    filter: fc
      .tuple(
        fc
          .record(Object.fromEntries(columns.map((column) => [column, condition(column)])), {
            requiredKeys: [],
          })
          .map((one) => Object.fromEntries(Object.entries(one).slice(0, 2))),
        fc.oneof(
          { maxDepth: 2, withCrossShrink: true },
          fc.constant({}),
          fc.record({ $not: tie('filter') }),
          fc.record({ $or: fc.array(tie('filter'), { maxLength: 3 }) }),
          fc.record({ $and: fc.array(tie('filter'), { maxLength: 3 }) }),
        ),
      )
      .map(([own, nested]) => ({ ...own, ...nested }) as Filter),
  }))
  return filter
}

const facet = (column: Column) =>
  RANGED.includes(column)
    ? fc.oneof(
        fc.constant(column),
        fc.record({
          column: fc.constant(column),
          ranges: fc.array(
            fc.record({ from: anyOf(column), to: anyOf(column) }, { requiredKeys: [] }),
            { minLength: 1, maxLength: 3 },
          ),
        }),
      )
    : fc.constant(column)

/** Facets of some of the columns. */
export function facetsOn(columns: readonly Column[]) {
  return fc
    .shuffledSubarray([...columns], { maxLength: 3 })
    .chain((some) => fc.tuple(...some.map(facet)))
}
