import { isHowdahError } from '../errors.js'
import type { LedgerRow } from '../sql/migrator-read-ledger.js'
import type { Steps } from './migration-set.js'
import { stepsToApply } from './plan.js'

/** A step, by what it is called. */
export interface MigrationStep {
  readonly package: string
  readonly version: number
  readonly name: string
}

/** A step as it stands in a database. */
export interface MigrationStepStatus extends MigrationStep {
  /** When the step was applied, in milliseconds since the epoch; `undefined` where it is not. */
  readonly appliedAt: number | undefined
}

/** How a package's schema stands in a database. */
export interface MigrationStatus {
  readonly package: string
  /** Version of the last applied step; 0 where there is none. */
  readonly current: number
  /** Version of the last step this process knows. */
  readonly latest: number
  /**
   * - `'current'`: every step is applied;
   * - `'pending'`: steps are missing;
   * - `'newer'`: the database is ahead, and this version still works with it;
   * - `'too-new'`: the database is ahead, and this version does not work with it;
   * - `'changed'`: an applied step differs from the package's.
   */
  readonly state: 'current' | 'pending' | 'newer' | 'too-new' | 'changed'
  /** Steps that either side knows, by version. */
  readonly steps: readonly MigrationStepStatus[]
}

/** Describes how a package stands; never throws for what it finds. */
export function statusOf(steps: Steps, applied: readonly LedgerRow[]): MigrationStatus {
  const rows = new Map(applied.map((row) => [row.version, row]))
  const known = steps.steps.map(({ version, name }) => ({
    package: steps.package,
    version,
    name,
    appliedAt: rows.get(version)?.appliedAt,
  }))
  const unknown = applied
    .filter(({ version }) => version > steps.latest)
    .map(({ version, name, appliedAt }) => ({ package: steps.package, version, name, appliedAt }))
  return {
    package: steps.package,
    current: applied.at(-1)?.version ?? 0,
    latest: steps.latest,
    state: stateOf(steps, applied, unknown.length > 0),
    steps: [...known, ...unknown],
  }
}

function stateOf(
  steps: Steps,
  applied: readonly LedgerRow[],
  ahead: boolean,
): MigrationStatus['state'] {
  try {
    if (stepsToApply(steps, applied).length > 0) return 'pending'
    return ahead ? 'newer' : 'current'
  } catch (error) {
    if (isHowdahError(error, 'CORE_MIGRATION_CHANGED')) return 'changed'
    if (isHowdahError(error, 'CORE_MIGRATION_TOO_NEW')) return 'too-new'
    throw error
  }
}
