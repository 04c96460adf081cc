/**
 * The shared ground of the Howdah packages: database handle, migrator, LISTEN/NOTIFY hub, coalescer.
 *
 * @packageDocumentation
 */
export {}
