import { ident, literal } from '@howdah/core'

/**
 * How texts become words. Documents and queries go through the same expressions, which are made here and nowhere else.
 */
export interface Language {
  /** The text search configuration: PostgreSQL's own ones, or one that the application made. */
  readonly config: { readonly schema: string; readonly name: string }
  /** Quoted name of the schema that holds the extension `unaccent`, where accents are to be ignored. */
  readonly unaccent: string | undefined
}

/** The text search configurations that come with PostgreSQL 15; later versions have more. Any other of the database will do, too. */
export const LANGUAGES: readonly string[] = [
  'arabic',
  'armenian',
  'basque',
  'catalan',
  'danish',
  'dutch',
  'english',
  'finnish',
  'french',
  'german',
  'greek',
  'hindi',
  'hungarian',
  'indonesian',
  'irish',
  'italian',
  'lithuanian',
  'nepali',
  'norwegian',
  'portuguese',
  'romanian',
  'russian',
  'serbian',
  'simple',
  'spanish',
  'swedish',
  'tamil',
  'turkish',
  'yiddish',
]

/** The text search configuration as an expression. */
export function configOf({ config }: Language): string {
  return `${literal(ident(config.schema, config.name))}::regconfig`
}

/** The text of an expression as the vocabulary and people see it: without accents, where they are ignored. */
export function plainText({ unaccent }: Language, text: string): string {
  if (unaccent === undefined) return text
  return `${unaccent}.unaccent(${literal(`${unaccent}.unaccent`)}::regdictionary, ${text})`
}

/** The text of an expression as `to_tsvector` is to have it: accents as in {@link plainText}, and CJK cut into bigrams. */
export function indexedText(s: string, language: Language, text: string): string {
  return `${s}.search_text(${plainText(language, text)})`
}
