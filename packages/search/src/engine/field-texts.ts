/**
 * Functions over the fields of a row. PostgreSQL calls them in the application's writes, so they never fail, and where they stand in the expression of an index
 * takes them for immutable. They are: settings that a cast to text depends on are fixed, and `probe` refuses types whose text depends on more.
 */
import { ident, literal } from '@howdah/core'
import { configOf, indexedText } from '../language/language.js'
import { CANONICAL, type Generation } from '../native/generation.js'
import type { Definition } from '../options.js'
import type { ColumnType } from '../sql/describe-table.js'

const LETTERS = ['A', 'B', 'C', 'D'] as const

/** A function of PostgreSQL takes 100 arguments. */
export const MAX_FIELDS = 99

/** A lexeme, which no text has, of a document of which only a part is indexed. */
export const CUT: string = `E'\\x01cut'`

/** The fields in the order in which the functions take them. */
export function fieldsInOrder({ classes }: Definition): string[] {
  return classes.flatMap(({ columns }) => columns)
}

/** A call of such a function for the row of a table. */
export function callFor(definition: Definition, name: string, alias?: string): string {
  const prefix = alias === undefined ? '' : `${alias}.`
  return `${name}(${fieldsInOrder(definition)
    .map((field) => `${prefix}${ident(field)}`)
    .join(', ')})`
}

/** The text of each weight class; `value` makes the expression of a field, which is counted from 1. */
export function classTexts(
  { schema, definition, language }: Generation,
  value: (field: string, at: number) => string,
): string[] {
  let at = 0
  return definition.classes.map(({ columns }) => {
    const values = columns.map((field) => `${value(field, ++at)}::text`)
    return indexedText(schema, language, `concat_ws(E'\\n', ${values.join(', ')})`)
  })
}

/** The document of the vectors of each weight class. */
export function documentOf(vectors: readonly string[]): string {
  return vectors.map((vector, at) => `setweight(${vector}, '${LETTERS[at]}')`).join(' || ')
}

/** The length of the document of these vectors: its words, each by its weight. */
export function lengthOf({ classes }: Definition, vectors: readonly string[]): string {
  const lengths = classes.map(
    ({ weight }, at) =>
      `${weight} * (select coalesce(sum(cardinality(positions)), 0) from unnest(${vectors[at]}))`,
  )
  return `(${lengths.join(' + ')})::float8`
}

/** The vectors of texts. */
export function vectorsOf({ language }: Generation, texts: readonly string[]): string[] {
  return texts.map((text) => `to_tsvector(${configOf(language)}, ${text})`)
}

const argument = (_: string, at: number) => `$${at}`

function createFunction(
  { definition, columns }: Generation,
  name: string,
  returns: string,
  attempts: readonly string[],
): string {
  const types = fieldsInOrder(definition).map((field) => (columns[field] as ColumnType).type)
  return `create function ${name}(${types.join(', ')}) returns ${returns}
    language plpgsql immutable security definer
    set search_path = pg_catalog, pg_temp ${CANONICAL.map((setting) => `set ${setting}`).join(' ')}
    as ${literal(`begin\n${neverFails(attempts)}\nend`)}`
}

/** Answers the first of the expressions that does not fail; the last one cannot. */
function neverFails([first, ...others]: readonly string[]): string {
  if (others.length === 0) return `return ${first};`
  return `begin
  return ${first};
exception when others then
  ${neverFails(others)}
end;`
}

/** Calls `search_document`, which takes as much of a text as a `tsvector` holds. */
function safely({ schema, definition, language }: Generation, given: readonly string[]): string {
  const weights = definition.classes.map(({ weight }) => weight).join(',')
  const all = LETTERS.map((_, at) => given[at] ?? "''")
  return `${schema}.search_document(${configOf(language)}, '{${weights}}'::float8[], ${all.join(', ')})`
}

/** The function that makes the document of a row, with a weight letter for each class. */
export function documentFunction(generation: Generation): string {
  const { names } = generation
  const texts = classTexts(generation, argument)
  const part = `(select made.document || array_to_tsvector(array[${CUT}]) from ${safely(generation, texts)} made)`
  const whole = documentOf(vectorsOf(generation, texts))
  return createFunction(generation, names.functions.document, 'tsvector', [
    whole,
    part,
    "''::tsvector",
  ])
}

/** The function that tells how long the document of a row is. */
export function lengthFunction(generation: Generation): string {
  const { names, definition } = generation
  const texts = classTexts(generation, argument)
  const part = `(select made.length from ${safely(generation, texts)} made)`
  const whole = lengthOf(definition, vectorsOf(generation, texts))
  return createFunction(generation, names.functions.length, 'double precision', [whole, part, '0'])
}

/**
 * The function that makes the words of a document a text again, each as often as it counts, for an extension that has a tokenizer of its own: what
 * it makes of the text is the lexemes that PostgreSQL made of the row, in any language.
 */
export function wordsFunction(generation: Generation): string {
  const { definition, names } = generation
  const count = definition.classes
    .map(
      ({ weight }, at) =>
        `${weight} * coalesce(cardinality(array_positions(u.weights, '${LETTERS[at]}')), 0)`,
    )
    .join(' + ')
  const arguments_ = fieldsInOrder(definition).map((_, at) => `$${at + 1}`)
  const words = `(select coalesce(string_agg(repeat(${encoded('u.lexeme')} || ' ', (${count})::int), ''), '')
    from unnest(${names.functions.document}(${arguments_.join(', ')})) u where u.positions is not null)`
  return createFunction(generation, names.functions.words, 'text', [words, "''"])
}

/** Characters of a word that are told apart: `pg_textsearch` passes over words of more than 2047. */
const MAX_CODE = 2000

/** A lexeme in small letters and digits, which every tokenizer takes for one word. */
export function encoded(lexeme: string): string {
  return `left(case when ${lexeme} ~ '^[a-z]+$' then ${lexeme}
      else 'x0' || encode(convert_to(${lexeme}, 'UTF8'), 'hex') end, ${MAX_CODE})`
}
