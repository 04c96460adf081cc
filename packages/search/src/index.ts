/**
 * Full-text search over your own PostgreSQL tables.
 *
 * @packageDocumentation
 */
export type { AttachOptions, FillProgress } from './attach.js'
export type { ResultRule, Synonyms } from './curation/rules.js'
export { type RulesOptions, SearchRules } from './curation/search-rules.js'
export type { SearchErrorCode } from './errors.js'
export type { ExplainOptions } from './explain/explain-options.js'
export type { ExplainedWord, Explanation } from './explain/explanation.js'
export type { Facet, FacetRange } from './facet/facet-request.js'
export type { Filter, FilterCondition, FilterValue } from './filter/filter.js'
export type { HighlightOptions } from './highlight/highlight-options.js'
export type { QueryLogOptions } from './log/log-options.js'
export type { QueryLogStats } from './log/query-log.js'
export { type LoggedQuery, type QueriesOptions, SearchQueries } from './log/search-queries.js'
export { migrations } from './migrations/migrations.js'
export type { FieldOptions, SearchIndexOptions, SortColumn, TableName } from './options.js'
export type { QueryMode } from './query/compile-query.js'
export type { Origin } from './query/query-plan.js'
export type { SearchedWord, Understood } from './query/understood.js'
export { SearchIndex } from './search-index.js'
export type { SearchOptions } from './search-request.js'
export type { FacetCount, SearchHit, SearchResult } from './search-result.js'
export type { SearchTimesStats } from './stats/search-times.js'
export type { SearchStats } from './stats/stats.js'
export type { Suggestion, SuggestOptions } from './vocabulary/suggest.js'
