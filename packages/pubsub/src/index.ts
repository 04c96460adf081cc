/**
 * Publish and subscribe over the PostgreSQL your application already runs.
 *
 * @packageDocumentation
 */
export {}
