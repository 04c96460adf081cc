import { HowdahError, sqlState } from '../errors.js'
import { ident } from '../ident.js'
import type { Probe } from '../sql/migrator-probe.js'
import type { Step } from './migration-set.js'

const INSUFFICIENT_PRIVILEGE = '42501'
const READ_ONLY_TRANSACTION = '25006'

/** Why the ledger cannot be read, with the statement that changes it; `undefined` where it can. */
export function whyNotReadable(probe: Probe, schema: string): HowdahError | undefined {
  if (!probe.ledgerExists || (probe.mayUseSchema && probe.mayReadLedger)) return undefined
  const role = ident(probe.role)
  return forbidden(
    probe,
    `may not read the ledger of migrations in schema ${schema}`,
    `grant usage on schema ${schema} to ${role}; grant select on ${schema}.migration to ${role};`,
  )
}

/** Why nothing can be migrated, with the statement that changes it; `undefined` where it can. */
export function whyNotWritable(probe: Probe, schema: string): HowdahError | undefined {
  const role = ident(probe.role)
  if (probe.standby) {
    return new HowdahError(
      'CORE_MIGRATION_FORBIDDEN',
      `Database '${probe.database}' is a standby, which takes no writes. Migrate schema ${schema} on the primary.`,
    )
  }
  if (probe.readOnly) {
    return new HowdahError(
      'CORE_MIGRATION_FORBIDDEN',
      `Transactions of role ${role} in database '${probe.database}' are read-only. Migrate schema ${schema} with default_transaction_read_only off.`,
    )
  }
  if (!probe.schemaExists) {
    if (probe.mayCreateSchema) return undefined
    return forbidden(
      probe,
      `may not create schema ${schema}`,
      `create schema ${schema} authorization ${role};`,
    )
  }
  if (!probe.mayUseSchema || !probe.mayCreateInSchema) {
    return forbidden(
      probe,
      `may not create tables in schema ${schema}`,
      `grant usage, create on schema ${schema} to ${role};`,
    )
  }
  if (probe.ledgerExists && !(probe.mayReadLedger && probe.mayWriteLedger)) {
    return forbidden(
      probe,
      `may not write the ledger of migrations in schema ${schema}`,
      `grant select, insert, delete on ${schema}.migration to ${role};`,
    )
  }
  return undefined
}

/** Turns what the server said about a step into an error that names the step. */
export function stepFailed(
  owner: string,
  step: Step,
  direction: 'up' | 'down',
  cause: unknown,
): HowdahError {
  const what = `Migration ${step.version} (${step.name}) of '${owner}'`
  const state = sqlState(cause)
  if (state === INSUFFICIENT_PRIVILEGE || state === READ_ONLY_TRANSACTION) {
    return new HowdahError(
      'CORE_MIGRATION_FORBIDDEN',
      `${what} needs a right that this role lacks, and nothing was changed. Run it as the owner of the schema and its tables: ${reason(cause)}`,
      { cause },
    )
  }
  const verb = direction === 'up' ? 'could not be applied' : 'could not be taken back'
  return new HowdahError(
    'CORE_MIGRATION_FAILED',
    `${what} ${verb}, and nothing was changed. The next attempt starts over: ${reason(cause)}`,
    { cause },
  )
}

function forbidden(probe: Probe, what: string, remedy: string): HowdahError {
  return new HowdahError(
    'CORE_MIGRATION_FORBIDDEN',
    `Role ${ident(probe.role)} ${what} of database '${probe.database}'. As a superuser or the owner, run: ${remedy}`,
  )
}

function reason(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause)
}
