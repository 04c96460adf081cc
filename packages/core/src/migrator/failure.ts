import { HowdahError, sqlState } from '../errors.js'
import type { Step, Steps } from './migration-set.js'

const INSUFFICIENT_PRIVILEGE = '42501'
const READ_ONLY = '25006'

/** Runs one step, and names it in the error when it fails. */
export async function stepFailed(
  steps: Steps,
  step: Step,
  run: () => Promise<void>,
): Promise<void> {
  try {
    await run()
  } catch (cause) {
    throw new HowdahError(
      'CORE_MIGRATION_FAILED',
      `Migration ${step.version} (${step.name}) of '${steps.package}' failed and nothing was changed: ${(cause as Error).message}`,
      { cause },
    )
  }
}

/** Turns the server's refusal into what to do about it; other errors stay as they are. */
export function explainFailure(error: unknown, schema: string): unknown {
  const state = sqlState(error)
  if (state === INSUFFICIENT_PRIVILEGE) {
    return new HowdahError(
      'CORE_MIGRATION_FORBIDDEN',
      `This role may not change the schema '${schema}'. As the database's owner run: create schema if not exists "${schema.replaceAll('"', '""')}" authorization <this role>.`,
      { cause: error },
    )
  }
  if (state === READ_ONLY) {
    return new HowdahError(
      'CORE_MIGRATION_FORBIDDEN',
      'This server is read-only (a standby, or default_transaction_read_only). Migrate on the primary.',
      { cause: error },
    )
  }
  return error
}
