/**
 * Full-text search over your own PostgreSQL tables.
 *
 * @packageDocumentation
 */
export type { AttachOptions, FillProgress } from './attach.js'
export type { ResultRule, Synonyms } from './curation/rules.js'
export { type RulesOptions, SearchRules } from './curation/search-rules.js'
export type { SearchErrorCode } from './errors.js'
export type { Facet, FacetRange } from './facet/facet-request.js'
export type { Filter, FilterCondition, FilterValue } from './filter/filter.js'
export type { HighlightOptions } from './highlight/highlight-options.js'
export { migrations } from './migrations/migrations.js'
export type { FieldOptions, SearchIndexOptions, SortColumn, TableName } from './options.js'
export type { QueryMode } from './query/compile-query.js'
export type { Correction } from './query/query-plan.js'
export { SearchIndex } from './search-index.js'
export type { SearchOptions } from './search-request.js'
export type { FacetCount, SearchHit, SearchIndexStatus, SearchResult } from './search-result.js'
export type { TenantColumn } from './tenant/tenant-column.js'
export type { TenantValue } from './tenant/tenant-scope.js'
export type { Suggestion, SuggestOptions } from './vocabulary/suggest.js'
