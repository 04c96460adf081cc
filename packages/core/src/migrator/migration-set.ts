import { createHash } from 'node:crypto'
import { HowdahError } from '../errors.js'
import type { Migration, MigrationSet } from './migration.js'

/** One step as the ledger knows it. */
export interface Step {
  readonly version: number
  readonly name: string
  readonly checksum: string
  readonly oldestClient: number
  readonly up: Migration['up']
  readonly down: Migration['down']
}

/** A validated {@link MigrationSet} with what is derived from it. */
export interface Steps {
  readonly package: string
  readonly steps: readonly Step[]
  /** Version of the last step; 0 for a package that keeps nothing. */
  readonly latest: number
}

/** Stands for the schema in checksums, which must not depend on where a package is installed. */
const ANY_SCHEMA = '"schema"'
const KEBAB_CASE = /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/
const LONGEST_NAME = 100

const known = new WeakMap<MigrationSet, Steps>()

/**
 * Validates a set once and remembers the outcome: sets are constants of their packages.
 *
 * @throws {@link HowdahError} CORE_INVALID_OPTION when the set is malformed
 */
export function stepsOf(set: MigrationSet): Steps {
  let steps = typeof set === 'object' && set !== null ? known.get(set) : undefined
  if (steps === undefined) {
    steps = validate(set)
    known.set(set, steps)
  }
  return steps
}

/** Validates several sets, which must be of different packages. */
export function allStepsOf(sets: readonly MigrationSet[]): readonly Steps[] {
  if (!Array.isArray(sets)) throw invalid('Pass the migration sets as an array.')
  const all = sets.map(stepsOf)
  const names = new Set<string>()
  for (const { package: name } of all) {
    if (names.has(name)) throw invalid(`There are two migration sets of the package '${name}'.`)
    names.add(name)
  }
  return all
}

function validate(set: MigrationSet): Steps {
  if (typeof set !== 'object' || set === null || !Array.isArray(set.migrations)) {
    throw invalid('A migration set must be { package, migrations: [...] }.')
  }
  if (!isName(set.package)) {
    throw invalid('The package of a migration set must be a short name in kebab-case.')
  }
  const steps = set.migrations.map((migration, at) => toStep(set.package, migration, at + 1))
  return Object.freeze({ package: set.package, steps, latest: steps.length })
}

function toStep(owner: string, migration: Migration, expected: number): Step {
  const { version, name, oldestClient = 1, up, down } = migration ?? {}
  if (version !== expected) {
    throw invalid(
      `Migrations of '${owner}' must count 1, 2, 3 ... without gaps: ${version} stands where ${expected} belongs.`,
    )
  }
  const label = `Migration ${version} of '${owner}'`
  if (!isName(name)) throw invalid(`${label} needs a name in kebab-case.`)
  if (!Number.isSafeInteger(oldestClient) || oldestClient < 1 || oldestClient > version) {
    throw invalid(`${label} needs an oldestClient between 1 and ${version}.`)
  }
  const checksum = createHash('sha256')
    .update(JSON.stringify([name, ...render(label, 'up', up)]))
    .digest('hex')
  render(label, 'down', down)
  return Object.freeze({ version, name, checksum, oldestClient, up, down })
}

function render(label: string, direction: string, statements: Migration['up']): readonly string[] {
  const texts = typeof statements === 'function' ? statements(ANY_SCHEMA) : undefined
  if (!Array.isArray(texts) || !texts.every((text) => typeof text === 'string' && text.trim())) {
    throw invalid(`${label} needs a function '${direction}' that returns SQL statements.`)
  }
  return texts
}

function isName(name: unknown): name is string {
  return typeof name === 'string' && name.length <= LONGEST_NAME && KEBAB_CASE.test(name)
}

function invalid(message: string): HowdahError {
  return new HowdahError('CORE_INVALID_OPTION', message)
}
