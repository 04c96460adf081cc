/**
 * A job queue in the PostgreSQL your application already runs.
 *
 * @packageDocumentation
 */
export {}
