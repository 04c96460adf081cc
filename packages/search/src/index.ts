/**
 * Full-text search over your own PostgreSQL tables.
 *
 * @packageDocumentation
 */
export type { AttachOptions, FillProgress } from './attach.js'
export type { ResultRule, Synonyms } from './curation/rules.js'
export { type RulesOptions, SearchRules } from './curation/search-rules.js'
export type { SearchErrorCode } from './errors.js'
export type { NearFilter, NearSort, Point } from './geo/near.js'
export type { PlaceColumns } from './geo/places.js'
export type { HighlightOptions } from './highlight/highlight-options.js'
export type { HybridOptions, VectorMetric } from './hybrid/hybrid-options.js'
export { migrations } from './migrations/migrations.js'
export type { FieldOptions, SearchIndexOptions, SortColumn, TableName } from './options.js'
export type { QueryMode } from './query/compile-query.js'
export type { Correction } from './query/query-plan.js'
export { SearchIndex } from './search-index.js'
export type { FilterValue, SearchOptions } from './search-request.js'
export type { FacetValue, SearchHit, SearchIndexStatus, SearchResult } from './search-result.js'
export type { LikeThis, MoreLikeThisOptions } from './similar/more-like-this.js'
export type { Suggestion, SuggestOptions } from './vocabulary/suggest.js'
