import { HowdahError } from '../errors.js'
import type { LedgerRow } from '../sql/migrator-read-ledger.js'
import type { Step, Steps } from './migration-set.js'

/**
 * Compares what a package knows with what the database has, and answers the steps to apply, in order.
 *
 * @throws {@link HowdahError} CORE_MIGRATION_CHANGED when an applied step differs from the package's
 * @throws {@link HowdahError} CORE_MIGRATION_TOO_NEW when the database has a step that this version cannot work with
 */
export function stepsToApply(steps: Steps, applied: readonly LedgerRow[]): readonly Step[] {
  assertUnchanged(steps, applied)
  const barrier = applied.find(
    (row) => row.version > steps.latest && row.oldestClient > steps.latest,
  )
  if (barrier !== undefined) throw tooNew(steps, barrier)
  return steps.steps.slice(applied.length)
}

/**
 * Answers the steps to take back, newest first, so that the package ends at version `to`.
 *
 * @throws {@link HowdahError} CORE_MIGRATION_CHANGED when an applied step differs from the package's
 * @throws {@link HowdahError} CORE_MIGRATION_TOO_NEW when the database has a step that this version does not know
 */
export function stepsToTakeBack(
  steps: Steps,
  applied: readonly LedgerRow[],
  to: number,
): readonly Step[] {
  assertUnchanged(steps, applied)
  const unknown = applied.find((row) => row.version > steps.latest)
  if (unknown !== undefined && to < applied.length) throw tooNew(steps, unknown)
  return steps.steps.slice(to, applied.length).toReversed()
}

/** The ledger's versions count from 1 too, so the row at an index belongs to the step at that index. */
function assertUnchanged(steps: Steps, applied: readonly LedgerRow[]): void {
  for (const [at, row] of applied.entries()) {
    const step = steps.steps[at]
    if (row.version !== at + 1) {
      throw new HowdahError(
        'CORE_MIGRATION_CHANGED',
        `The ledger lacks migration ${at + 1} of '${steps.package}' but has ${row.version}: rows were removed by hand. Restore them before going on.`,
      )
    }
    if (step !== undefined && step.checksum !== row.checksum) {
      throw new HowdahError(
        'CORE_MIGRATION_CHANGED',
        `Migration ${row.version} (${row.name}) of '${steps.package}' was changed after it was applied to this database. Released steps never change: restore it, and make the change in a new step.`,
      )
    }
  }
}

function tooNew(steps: Steps, row: LedgerRow): HowdahError {
  return new HowdahError(
    'CORE_MIGRATION_TOO_NEW',
    `This database has migration ${row.version} (${row.name}) of '${steps.package}', and this process knows ${steps.latest} at most. Run it with a newer version of the package, one that knows at least ${Math.max(row.oldestClient, steps.latest + 1)}.`,
  )
}
