import { HowdahError } from '../errors.js'
import type { LedgerRow } from '../sql/migrator.js'
import type { Step, Steps } from './migration-set.js'

/**
 * Compares a package with what the ledger says of it, and answers the steps still to apply.
 *
 * @throws {@link HowdahError} CORE_MIGRATION_CHANGED when a step was edited after it was applied
 * @throws {@link HowdahError} CORE_MIGRATION_TOO_NEW when a newer release of the package changed the schema beyond what this one can use
 */
export function pendingSteps(steps: Steps, ledger: readonly LedgerRow[]): readonly Step[] {
  const applied = ledger.filter((row) => row.package === steps.package)
  for (const row of applied) {
    const step = steps.steps[row.version - 1]
    if (step === undefined) assertUsable(steps, row)
    else if (step.checksum !== row.checksum) throw changed(steps, step)
  }
  const versions = new Set(applied.map((row) => row.version))
  return steps.steps.filter((step) => !versions.has(step.version))
}

function assertUsable(steps: Steps, row: LedgerRow): void {
  if (row.oldestClient <= steps.latest) return
  throw new HowdahError(
    'CORE_MIGRATION_TOO_NEW',
    `The schema has migration ${row.version} (${row.name}) of '${steps.package}', which needs a newer release of @howdah/${steps.package} than this one. Update it.`,
  )
}

function changed(steps: Steps, step: Step): HowdahError {
  return new HowdahError(
    'CORE_MIGRATION_CHANGED',
    `Migration ${step.version} (${step.name}) of '${steps.package}' differs from the one that was applied to this schema. Released migrations never change: install the release that was used, or restore the file.`,
  )
}
