/**
 * Full-text search over your own PostgreSQL tables.
 *
 * @packageDocumentation
 */
export {}
