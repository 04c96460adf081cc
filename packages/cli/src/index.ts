/**
 * The `howdah` command, which migrates the tables of the Howdah packages, and what it is made of.
 *
 * @packageDocumentation
 */
export type { CliErrorCode } from './errors.js'
export { installedMigrations } from './installed.js'
export { main } from './main.js'
