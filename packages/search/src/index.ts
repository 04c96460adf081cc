/**
 * Full-text search over your own PostgreSQL tables.
 *
 * @packageDocumentation
 */
export type { AttachOptions, FillProgress } from './attach.js'
export type { SearchErrorCode } from './errors.js'
export { migrations } from './migrations/migrations.js'
export type { FieldOptions, SearchIndexOptions, SortColumn, TableName } from './options.js'
export type { QueryMode } from './parse-query.js'
export {
  type FacetValue,
  type SearchHit,
  SearchIndex,
  type SearchIndexStatus,
  type SearchResult,
} from './search-index.js'
export type { FilterValue, SearchOptions } from './search-request.js'
