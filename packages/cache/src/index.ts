/**
 * A key-value cache in the PostgreSQL your application already runs.
 *
 * @packageDocumentation
 */
export {}
