import type { SearchCapability, SearchEngine } from '../engine/engine.js'
import { readStats } from '../sql/read-stats.js'
import { createGeneration } from './create.js'

const CAPABILITIES: ReadonlySet<SearchCapability> = new Set<SearchCapability>([
  'exactScores',
  'exactTotal',
  'beginnings',
  'topK',
  'anyWeight',
  'anyType',
  'writesDuringAttach',
  'rebuild',
  'partial',
  'masks',
  'explain',
  'moreLikeThis',
  'sql',
  'tenants',
])

/** Our own tables; see `docs/decisions/0005-search-engine.md`. */
export const nativeEngine: SearchEngine = {
  name: 'native',
  capabilities: CAPABILITIES,
  fills: true,
  maintains: true,
  check() {},
  probe: async () => undefined,
  create: createGeneration,
  isWhole: async () => true,
  leave: () => [],
  stats: ({ schema, id, generation, names }) => readStats(schema, id, generation, names),
  holds: ({ hot, document }, key) => `exists (
            select from ${hot} h where h.key = ${key}
            union all select from ${document} d where d.key = ${key})`,
  ownColumns: () => [],
}
