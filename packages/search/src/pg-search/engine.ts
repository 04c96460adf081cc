/**
 * An index of the extension pg_search (ParadeDB 0.20 and later) on the words of each row.
 *
 * **Not run against the real extension.** It is written to what ParadeDB documents as of 0.25: `using bm25` with `key_field`, tokenizers as casts, `|||` with an
 * array of tokens that are taken as they are, and `pdb.score`.
 *
 * @see https://docs.paradedb.com
 */
import { ident, literal } from '@howdah/core'
import { type SearchCapability, type SearchEngine, unsupported } from '../engine/engine.js'
import { checkWeights, probeExtension } from '../engine/extension.js'
import { probeFields } from '../engine/fixed-texts.js'
import { readTableStats } from '../engine/read-table-stats.js'
import {
  createWordsIndex,
  indexName,
  leaveTable,
  type WordsIndex,
  wordsOf,
} from '../engine/words-index.js'
import { nameOnTable, tableOf } from '../names.js'
import type { Generation } from '../native/generation.js'
import { findIndexes } from '../sql/find-indexes.js'

const CAPABILITIES: ReadonlySet<SearchCapability> = new Set<SearchCapability>([
  'exactTotal',
  'topK',
])

/** Its access method, by the name it has now and the one that all versions know. */
const METHODS = ['paradedb', 'bm25']
const TEXTS = new Set(['pg_catalog.text', 'pg_catalog.varchar'])
const MAX_INT = 2_147_483_647

function wordsIndex(generation: Generation): WordsIndex {
  const { schema, definition, keyType } = generation
  const table = tableOf(definition)
  const name = indexName(schema, definition.name, generation.generation)
  const column = ident(definition.key)
  // The key must be one token.
  const key = TEXTS.has(keyType) ? `(${column}::pdb.literal)` : column
  const matching = `from ${table} r where ${wordsOf(generation, 'r')} ||| `
  const words = 'quote_literal(given::text)'
  return {
    create: `create index ${name} on ${table}
      using bm25 (${key}, ((${wordsOf(generation)})::pdb.whitespace('alias=howdah_words')))
      with (key_field = ${literal(definition.key)})`,
    // The extension reads what is asked for while it plans, so that it has to stand in the statement.
    find: `
begin
  return query execute ${literal(`select r.${column}::text collate "C", pdb.score(r.${column})::double precision ${matching}`)}
    || ${words} || ${literal(`::text[] order by pdb.score(r.${column}) desc limit `)} || k;
end`,
    count: `execute ${literal(`select count(*) ${matching}`)} || ${words} || '::text[]' into total`,
    most: MAX_INT,
  }
}

/** The extension pg_search. Not run against the real extension. */
export const pgSearchEngine: SearchEngine = {
  name: 'pg_search',
  capabilities: CAPABILITIES,
  fills: false,
  maintains: false,
  check: checkWeights,
  async probe(db, table, definition, client) {
    await probeFields(db, table, definition, client)
    const extension = await probeExtension(
      db,
      'pg_search',
      'create extension pg_search cascade',
      client,
    )
    const [other] = await db.query(findIndexes(db.schema, table.oid, METHODS), client)
    if (other === undefined) return extension
    throw unsupported(
      'pg_search',
      `can have one index on a table, and there is one: '${other.name}'. Remove it, with detach() where it is ours`,
    )
  },
  create: (generation) => createWordsIndex(generation, wordsIndex(generation)),
  async isWhole(db, table, { schema, generation, definition }, client) {
    const found = await db.query(findIndexes(db.schema, table.oid, METHODS), client)
    const own = nameOnTable(schema, definition.name, generation, 'words')
    return found.some(({ name }) => name === own)
  },
  leave: leaveTable,
  stats: readTableStats,
  holds: () => 'true',
  ownColumns: () => [],
}
