import { ident, literal } from '@howdah/core'
import { configOf, indexedText } from '../language/language.js'
import type { Definition } from '../options.js'
import { rowWords } from './attributes.js'
import { B, type Generation, K1 } from './generation.js'
import { tenantOfRow } from './tenant.js'

/** Bytes that the words of a row's values may have together, where they do not fit with its texts. */
const MAX_WORDS = 500_000

const LETTERS = ['A', 'B', 'C', 'D'] as const

/** Keys, texts, one for each weight, and words of values of the rows of a table or transition table. */
export function rowTexts(
  { definition, attributes }: Pick<Generation, 'definition' | 'attributes'>,
  from: string,
  condition = 'true',
): string {
  const texts = definition.classes.map((group, at) => {
    const columns = group.columns.map((name) => `r.${ident(name)}::text`)
    return `concat_ws(E'\\n', ${columns.join(', ')}) collate "C" as text_${at}`
  })
  const key = `r.${ident(definition.key)}`
  const words =
    attributes.length === 0 ? [] : [`(${rowWords(attributes, 'r')}) collate "C" as words`]
  const tenant =
    definition.tenant === undefined
      ? []
      : [`(${tenantOfRow(attributes, 'r')}) collate "C" as tenant`]
  return `select ${key}::text collate "C" as key, ${[...texts, ...words, ...tenant].join(', ')} from ${from} r where ${key} is not null and ${condition}`
}

/** A query for the texts whose words come (1) or go (-1), of rows that `rowTexts` gave. */
export function notedTexts({ definition }: Generation, rows: string, sign: 1 | -1): string {
  const texts = definition.classes.map((_, at) => `text_${at}`).join(', ')
  const text = `concat_ws(E'\\n', ${texts}) as text, ${sign} as sign`
  if (definition.tenant === undefined) return `select ${text}, '' as tenant from ${rows}`
  return `select ${text}, whose.tenant from (select * from ${rows}) whose where whose.tenant is not null`
}

/**
 * Documents of rows that `rowTexts` gave: key, document, length, problem. The fast form fails on a text that does not fit a
 * `tsvector`; the safe one takes as much of it as does.
 */
export function documents(
  { schema, definition, language, attributes, names }: Generation,
  texts: string,
  form: 'fast' | 'safe',
): string {
  const { classes } = definition
  const having = attributes.length > 0
  if (form === 'safe') {
    const given = LETTERS.map((_, at) =>
      at < classes.length ? indexedText(schema, language, `fresh.text_${at}`) : "''",
    )
    return `select fresh.key, made.document, made.length, made.problem
      from (${texts}) fresh
      cross join lateral ${names.functions.document}(
        array[${given.join(', ')}], ${having ? 'fresh.words' : "'{}'"}) made`
  }
  const vectors = classes.map(
    (_, at) =>
      `to_tsvector(${configOf(language)}, ${indexedText(schema, language, `text_${at}`)}) as v${at}`,
  )
  const document = classes.map((_, at) => `setweight(v${at}, '${LETTERS[at]}')`)
  const whole = [...document, ...(having ? ['array_to_tsvector(words)'] : [])].join(' || ')
  const length = classes.map(
    ({ weight }, at) =>
      `${weight} * (select coalesce(sum(cardinality(positions)), 0) from unnest(v${at}))`,
  )
  return `select key, ${whole} as document, (${length.join(' + ')})::float8 as length, null::text as problem
      from (select key, ${[...vectors, ...(having ? ['words'] : [])].join(', ')} from (${texts}) fresh offset 0) parsed`
}

/**
 * Makes a document of texts and words of values and never fails. Where they do not fit the 1 MB of a `tsvector`, the words of values have half of it at
 * most, of which the first are taken, and the texts what is left.
 */
export function documentFunction({ schema, definition, language, names }: Generation): string {
  const weights = definition.classes.map(({ weight }) => weight).join(',')
  const body = `
declare
  size int := 2147483647;
  made record;
  attributes tsvector;
begin
  -- array_to_tsvector makes what is too long as well, and wrong.
  while (select sum(octet_length(word)) from unnest(words) word) > ${MAX_WORDS} loop
    problem := 'the values of facets and filters have more than ${MAX_WORDS} bytes';
    words := words[:cardinality(words) / 2];
  end loop;
  attributes := array_to_tsvector(words);
  loop
    select * into made from ${schema}.search_document(${configOf(language)}, '{${weights}}'::float8[],
      left(texts[1], size), left(texts[2], size), left(texts[3], size), left(texts[4], size));
    problem := coalesce(made.problem, problem);
    begin
      document := made.document || attributes;
      length := made.length;
      return;
    exception when others then
      problem := sqlerrm;
      size := least(size, (select max(length(one)) from unnest(texts) one)) / 2;
      exit when size < 1;
    end;
  end loop;
  document := attributes;
  length := 0;
end`
  return `create function ${names.functions.document}(
      texts text[], words text[], out document tsvector, out length float8, out problem text
    ) language plpgsql stable as ${literal(body)}`
}

/** How much an unnested lexeme counts: its occurrences, each by the weight of where it stands. */
export function countOfLexeme({ classes }: Definition): string {
  const last = classes.at(-1)?.weight ?? 1
  const more = classes.flatMap(({ weight }, at) =>
    weight === last
      ? []
      : ` + ${weight - last} * coalesce(cardinality(array_positions(weights, '${LETTERS[at]}')), 0)`,
  )
  return `(${last} * cardinality(positions)${more.join('')})::float8`
}

/**
 * How much a word counts in a document. `ts_rank` of one word with weights of 0 and 1 is the sum of 1/j² over those
 * occurrences, so its distance from the sum to infinity, about 1/(count + 1/2), gives the count; exact up to the 255
 * occurrences that a document keeps of a word. Some thirty times faster than unnesting the document.
 */
export function countOfQuery({ classes }: Definition, document: string, query: string): string {
  const counts = classes.flatMap(({ weight }, at) => {
    const next = classes[at + 1]?.weight ?? 0
    if (weight === next) return []
    // The weights stand in the order D, C, B, A.
    const weights = [3, 2, 1, 0].map((which) => (which <= at || at === classes.length - 1 ? 1 : 0))
    const count = `round(1 / (1.6449340668482 * (1.0000001 - ts_rank('{${weights.join(',')}}', ${document}, ${query}))) - 0.5)`
    return weight - next === 1 ? count : `(${weight} - ${next}) * ${count}`
  })
  return `(${counts.join(' + ')})`
}

/** The part of BM25's denominator that depends on a document's length. */
export function normOf(length: string): string {
  return `${K1} * (${1 - B} + ${B} * ${length} / mean)`
}
