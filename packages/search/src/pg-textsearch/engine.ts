/**
 * An index of the extension pg_textsearch (Tiger Data, PostgreSQL 17 and later) on the words of each row. It finds the best k by itself, with BM25 whose
 * lengths are rounded and whose counts are those of the index, dead rows included until a vacuum.
 *
 * @see https://github.com/timescale/pg_textsearch
 */
import { ident, literal } from '@howdah/core'
import type { SearchCapability, SearchEngine } from '../engine/engine.js'
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
import { B, type Generation, K1 } from '../native/generation.js'
import { findIndexes } from '../sql/find-indexes.js'

const CAPABILITIES: ReadonlySet<SearchCapability> = new Set<SearchCapability>(['topK', 'rebuild'])

/** Matches that are counted where the best are asked for: counting costs with each. */
const MAX_COUNTED = 10_000
/** Rows that a scan of its index gives at most. */
const MAX_FOUND = 100_000

function wordsIndex(generation: Generation): WordsIndex {
  const { schema, definition, extension } = generation
  const table = tableOf(definition)
  const name = indexName(schema, definition.name, generation.generation)
  const key = `r.${ident(definition.key)}`
  const qualified = literal(`${ident(definition.table.schema)}.${name}`)
  const score = `${extension}.bm25_get_current_score()`
  const from = `from ${table} r where ${key} is not null
      order by ${wordsOf(generation, 'r')} operator(${extension}.<@>) ${extension}.to_bm25query(`
  const words = "quote_literal(array_to_string(given, ' '))"
  // The words stand in the statement: only then does the extension take scores from the scan instead of computing each anew, which takes two hundred times as long.
  const best = (what: string, limit: string) =>
    `${literal(`${what} ${from}`)} || ${words} || ${literal(`, ${qualified}) limit `)} || ${limit}`
  return {
    create: `create index ${name} on ${table} using bm25 ((${wordsOf(generation)}))
      with (text_config = 'pg_catalog.simple', k1 = ${K1}, b = ${B})`,
    find: `
begin
  return query execute ${best(`select ${key}::text collate "C", -${score}`, 'k')};
end`,
    count: `execute 'select count(*) from (' || ${best('select', `'${MAX_COUNTED}'`)} || ') counted' into total`,
    most: MAX_FOUND,
  }
}

/** The extension pg_textsearch. */
export const pgTextsearchEngine: SearchEngine = {
  name: 'pg_textsearch',
  capabilities: CAPABILITIES,
  fills: false,
  maintains: false,
  check: checkWeights,
  async probe(db, table, definition, client) {
    await probeFields(db, table, definition, client)
    return probeExtension(db, 'pg_textsearch', 'create extension pg_textsearch', client)
  },
  create: (generation) => createWordsIndex(generation, wordsIndex(generation)),
  async isWhole(db, table, { schema, generation, definition }, client) {
    const found = await db.query(findIndexes(db.schema, table.oid, ['bm25']), client)
    const own = nameOnTable(schema, definition.name, generation, 'words')
    return found.some(({ name }) => name === own)
  },
  leave: leaveTable,
  stats: readTableStats,
  holds: () => 'true',
  ownColumns: () => [],
}
