import type { Language } from '../language/language.js'
import type { IndexNames } from '../names.js'
import type { Definition } from '../options.js'
import type { ColumnType } from '../sql/describe-table.js'
import type { Attribute } from './attributes.js'

/** One generation of an index: what all SQL of the engine is rendered for. */
export interface Generation {
  readonly schema: string
  readonly id: number
  readonly generation: number
  /** Number of its vocabulary. */
  readonly vocabulary: number
  readonly definition: Definition
  readonly language: Language
  readonly names: IndexNames
  /** The key column's type and collation, as casts name them. */
  readonly keyType: string
  /** Columns whose values are words of the documents. */
  readonly attributes: readonly Attribute[]
  /** Types of the table's columns. */
  readonly columns: Readonly<Record<string, ColumnType>>
  /** Quoted name of the schema of the extension that the engine is of. */
  readonly extension: string | undefined
}

/** BM25's constants, as Lucene has them. */
export const K1 = 1.2
export const B = 0.75

/** Slots of the smallest segment: as many documents are moved out of `hot` at once. */
export const SMALLEST = 512
/** Slots of a segment that is made of many documents at once, as when an index is filled. */
export const BULK = 4096
/** Sizes that segments are merged into, each the eightfold of the one before. */
export const MERGED = [4096, 32_768, 262_144] as const
/** Sizes that are merged, each a length that planes are made bit by bit in. */
export const PARTS = [512, 4096, 32_768] as const
/** Bit planes of a posting; a word's weight in a document is a level from 1 to 31. */
export const PLANES = 5
export const LEVELS = 31
/** A level of an array's posting, which has room for more: 32 of these for one of a plane. */
export const FINE = 32
/** A word that is in every so manieth document of a segment, or more, has planes there. */
export const DENSE = 24
/** The same for words of values, which have one plane, without levels. */
export const DENSE_VALUE = 256
/** Rows of a small segment that a value must have at least to have a plane there. */
export const FEW = 16

/**
 * Settings under which a value has one form as text, whoever writes it: the documents' keys are text.
 */
export const CANONICAL: readonly string[] = [
  `datestyle = 'ISO, YMD'`,
  `intervalstyle = 'postgres'`,
  `timezone = 'UTC'`,
  'extra_float_digits = 1',
  `bytea_output = 'hex'`,
]

/** Renders once for each plane, counted from 1. */
export function eachPlane(render: (plane: number) => string, separator = ', '): string {
  return Array.from({ length: PLANES }, (_, at) => render(at + 1)).join(separator)
}
