/**
 * A real PostgreSQL for tests and demos, and conformance suites for Howdah engines and stores.
 *
 * @packageDocumentation
 */
export {}
