/**
 * One step of a package's schema. Steps are append-only: a released step never changes, and a test compares its checksum.
 */
export interface Migration {
  /** Counts from 1 without gaps. */
  readonly version: number
  /** Says what the step does, in kebab-case. */
  readonly name: string
  /**
   * The oldest version of the package's schema that a client may have been written for and still work after this step. Equal
   * to `version` where older clients break.
   *
   * @defaultValue `1`
   */
  readonly oldestClient?: number | undefined
  /** Statements that apply the step, given the quoted name of the schema. Each entry is a single statement. */
  readonly up: (schema: string) => readonly string[]
  /** Statements that take the step back. */
  readonly down: (schema: string) => readonly string[]
}

/** The migrations of one package, in order. */
export interface MigrationSet {
  /** Short name of the package, such as `'cache'`. */
  readonly package: string
  readonly migrations: readonly Migration[]
}
