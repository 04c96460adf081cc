/**
 * Values of the columns that can be filtered on and counted, as words of the document. A word of that kind has no position, so it counts neither for the
 * score nor for the length of a document. It begins with a control character, which no parser leaves in a word of a text.
 */
import { ident } from '@howdah/core'
import type { Definition } from '../options.js'
import type { ColumnType } from '../sql/describe-table.js'

/** A column of which each value has one form as text, which its words are made of. */
export interface Attribute {
  /** Stands for the column in its words. */
  readonly number: number
  readonly column: string
  /** The type of one value, of an array its elements': by its name in `pg_catalog`, or `enum`. */
  readonly kind: string
  /** The same type as statements name it. */
  readonly type: string
  /** Whether the column is an array, and so has any number of values. */
  readonly list: boolean
}

/** Bytes of the longest value that is a word as it is. A longer one is found by its hash, and not counted as a value of a facet. */
export const MAX_VALUE = 1000
const LONG = new Set(['text', 'varchar', 'bpchar', 'numeric'])

/** Columns by which words of values are numbered, the tenant's first; a change of them needs a rebuild. */
export function attributeColumns({ filters, tenant }: Definition): string[] {
  const columns = [...filters].sort()
  return tenant === undefined ? columns : [...new Set([tenant.column, ...columns])]
}

/** The columns among them whose values are words. */
export function attributesOf(
  definition: Definition,
  columns: Readonly<Record<string, ColumnType>>,
): Attribute[] {
  return attributeColumns(definition).flatMap((column, number) => {
    const { type, element, kind } = columns[column] as ColumnType
    if (kind === null) return []
    return [{ number, column, kind, type: element ?? type, list: element !== null }]
  })
}

/** Whether a word is one of a value, and not of a text. */
export function isValueWord(term: string): string {
  return `starts_with(${term}, E'\\x01')`
}

/** The word of a row that has no value. */
export function absentWord({ number }: Attribute): string {
  return `E'\\x01${number}'`
}

/** What the words of a column's values begin with, the long ones excepted, and what comes after all of these. */
export function valueWords({ number }: Attribute): {
  readonly first: string
  readonly end: string
} {
  return { first: `E'\\x01${number}='`, end: `E'\\x01${number}>'` }
}

/** The one form of a value as text, whatever the settings of the session. */
export function canonical({ kind }: Pick<Attribute, 'kind'>, value: string): string {
  if (kind === 'numeric') return `trim_scale(${value})::text`
  if (kind === 'date' || kind === 'timestamp') return `(to_jsonb(${value}) #>> '{}')`
  if (kind === 'timestamptz') return `(to_jsonb(${value} at time zone 'UTC') #>> '{}')`
  return `${value}::text`
}

/** The value of a form as text. */
export function typedValue({ kind, type }: Pick<Attribute, 'kind' | 'type'>, text: string): string {
  if (kind === 'timestamptz') return `(${text}::timestamp at time zone 'UTC')`
  return kind === 'bpchar' ? `${text}::text` : `${text}::${type}`
}

/** The value, of those that are equal always the same. */
export function sameValue(kind: string | null, value: string): string {
  if (kind === 'numeric') return `trim_scale(${value})`
  return kind === 'bpchar' ? `${value}::text` : value
}

/** A condition on how many bytes a value has, where it may have too many for a word. */
export function lengthOfValue(kind: string | null, value: string, condition: string): string {
  return kind !== null && LONG.has(kind) ? ` and octet_length(${value}::text)${condition}` : ''
}

/** The word of a value that is not null. */
export function valueWord(attribute: Attribute, value: string): string {
  const text = canonical(attribute, value)
  const word = `${valueWords(attribute).first} || ${text}`
  if (!LONG.has(attribute.kind)) return word
  const hash = `E'\\x01${attribute.number}#' || encode(sha256(convert_to(${text}, 'UTF8')), 'hex')`
  return `case when octet_length(${text}) <= ${MAX_VALUE} then ${word} else ${hash} end`
}

/** The words of a row's values, as an array. */
export function rowWords(attributes: readonly Attribute[], alias: string): string {
  const single = attributes
    .filter(({ list }) => !list)
    .map((attribute) => {
      const value = `${alias}.${ident(attribute.column)}`
      return `case when ${value} is null then ${absentWord(attribute)} else ${valueWord(attribute, value)} end`
    })
  const several = attributes
    .filter(({ list }) => list)
    .map((attribute) => {
      const values = `${alias}.${ident(attribute.column)}`
      return `case when ${values} is null then array[${absentWord(attribute)}]
      else array(select ${valueWord(attribute, 'one')} from unnest(${values}) one where one is not null) end`
    })
  return [`array[${single.join(', ')}]::text[]`, ...several].join(' || ')
}
