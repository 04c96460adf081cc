import { createHash } from 'node:crypto'
import { ident } from '@howdah/core'
import type { Definition } from './options.js'

/** Names of what one generation of an index is made of, quoted. */
export interface IndexNames {
  readonly documents: string
  readonly statistics: string
  readonly documentsIndex: string
  readonly changed: string
}

/**
 * Names what belongs to an index. Tables carry the generation, so that a rebuild fills new ones while the old are searched; the
 * names hold numbers only, whatever the index is called.
 */
export function indexNames(schema: string, id: number, generation: number): IndexNames {
  return {
    documents: `${schema}.${ident(`search_document_${id}_${generation}`)}`,
    statistics: `${schema}.${ident(`search_statistic_${id}_${generation}`)}`,
    documentsIndex: ident(`search_document_${id}_${generation}_words`),
    changed: `${schema}.${ident(`search_changed_${id}`)}`,
  }
}

/** What the triggers fire on. */
export const TRIGGER_EVENTS = ['insert', 'update', 'delete', 'truncate'] as const

/** Names a trigger on the application's table, apart from those of other indexes and of other Howdah schemas. */
export function triggerName(
  schema: string,
  index: string,
  event: (typeof TRIGGER_EVENTS)[number],
): string {
  const digest = createHash('sha256').update(`${schema}\0${index}`).digest('hex').slice(0, 12)
  return `howdah_search_${digest}_${event}`
}

/** The application's table, quoted. */
export function tableOf({ table }: Definition): string {
  return ident(table.schema, table.name)
}

/** The part of a definition that the stored documents depend on; facets, filters and sorting read the live rows. */
export function fingerprint({ table, key, classes, language, unaccent }: Definition): string {
  return JSON.stringify({ table, key, classes, language, unaccent })
}
