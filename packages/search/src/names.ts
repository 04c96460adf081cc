import { createHash } from 'node:crypto'
import { ident } from '@howdah/core'
import { attributeColumns } from './native/attributes.js'
import type { Definition } from './options.js'

/** Tables, and what else has a row for each index and generation, by what `docs/decisions/0005-search-engine.md` calls them. */
const KINDS = [
  'hot',
  'gone',
  'missed',
  'stray',
  'cleared',
  'tally',
  'document',
  'segment',
  'posting',
  'buried',
  'number',
  'block',
] as const
const FUNCTIONS = [
  'changed',
  'document',
  'fill',
  'segment',
  'maintain',
  'merge',
  'weigh',
  'bits',
  'mask',
  'cut',
  'find',
  'match',
  'search',
  'matched',
  'count',
  'tenant',
  'own',
  'ask',
  'judge',
  'telling',
  'length',
  'words',
  'row',
] as const

/** What one generation of an index is made of: each by its qualified, quoted name. */
export type IndexNames = Readonly<Record<(typeof KINDS)[number], string>> & {
  readonly functions: Readonly<Record<(typeof FUNCTIONS)[number], string>>
  /** Makes the name of an index on one of the tables; it is not qualified. */
  readonly indexOn: (what: string) => string
}

/**
 * Names what belongs to an index. All carry the generation, so that a rebuild fills new tables while the old are searched; the
 * names hold numbers only, whatever the index is called.
 */
export function indexNames(schema: string, id: number, generation: number): IndexNames {
  const name = (kind: string) => `${schema}.${ident(`search_${kind}_${id}_${generation}`)}`
  const all = <T extends string>(kinds: readonly T[], prefix = '') =>
    Object.fromEntries(kinds.map((kind) => [kind, name(`${prefix}${kind}`)])) as Record<T, string>
  return {
    ...all(KINDS),
    functions: all(FUNCTIONS, 'do_'),
    indexOn: (what) => ident(`search_${what}_${id}_${generation}`),
  }
}

/** What the triggers fire on. */
export const TRIGGER_EVENTS = ['insert', 'update', 'delete', 'truncate'] as const

/** Names a trigger on the application's table, apart from those of other indexes, generations and Howdah schemas. */
export function triggerName(
  schema: string,
  index: string,
  generation: number,
  event: (typeof TRIGGER_EVENTS)[number],
): string {
  return nameOnTable(schema, index, generation, event)
}

/** Names what lies on the application's table or beside it: a trigger, a column or an index. */
export function nameOnTable(
  schema: string,
  index: string,
  generation: number,
  what: string,
): string {
  const digest = createHash('sha256').update(`${schema}\0${index}`).digest('hex').slice(0, 12)
  return `howdah_search_${digest}_${generation}_${what}`
}

/** Matches names of columns that indexes have on tables. */
export const OWN_COLUMN: RegExp = /^howdah_search_[0-9a-f]{12}_\d+_(?:document|length)$/

/** The application's table, quoted. */
export function tableOf({ table }: Definition): string {
  return ident(table.schema, table.name)
}

/** The part of a definition that the stored documents depend on; sorting reads the live rows. */
export function fingerprint(definition: Definition): string {
  const { table, key, classes, language, unaccent, tenant, engine } = definition
  const attributes = attributeColumns(definition)
  const more = engine === 'native' && attributes.length > 0 ? { attributes } : {}
  // What is left at its default is left out, so that indexes that were made before it could be another are known again.
  const whose = tenant === undefined ? {} : { tenant: tenant.column }
  const other = engine === 'native' ? {} : { engine }
  return JSON.stringify({ table, key, classes, language, unaccent, ...more, ...whose, ...other })
}
