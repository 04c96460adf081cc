import { createHash } from 'node:crypto'
import { type Database, ident } from '@howdah/core'
import type { ResolvedMaterializedOptions } from './options.js'

/** All there is to know about a materialised query before it meets the database. */
export interface Definition extends ResolvedMaterializedOptions {
  readonly db: Database
  readonly name: string
  readonly sql: string
  /** Name of the view inside our schema, and with it quoted. */
  readonly relation: string
  readonly view: string
  /** Digest of what the view is made from. */
  readonly shape: string
  /** Digest of the tables that have triggers. */
  readonly tracked: string
  /** Name of the triggers on the application's tables. */
  readonly trigger: string
}

const PLAIN = /^[a-z_][a-z0-9_]{0,39}$/

/** Derives names and digests. A view is named after its query, so that people find it in psql. */
export function define(
  db: Database,
  name: string,
  sql: string,
  options: ResolvedMaterializedOptions,
): Definition {
  const relation = `cache_view_${PLAIN.test(name) ? name : abridged(name)}`
  return Object.freeze({
    ...options,
    db,
    name,
    sql,
    relation,
    view: `${db.schema}.${ident(relation)}`,
    shape: digest(JSON.stringify([sql, options.unique])),
    tracked: digest(JSON.stringify(options.tables)),
    trigger: `howdah_cache_${digest(`${db.schema}\0${name}`).slice(0, 12)}`,
  })
}

/** A plain name has no dollar sign, so that none is mistaken for a name cut short. */
function abridged(name: string): string {
  const letters = name.toLowerCase().replaceAll(/[^a-z0-9]+/g, '_')
  return `${letters.slice(0, 30)}$${digest(name).slice(0, 12)}`
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 32)
}
