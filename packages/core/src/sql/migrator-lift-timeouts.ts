import { defineStatement, type Statement } from '../statement.js'

/**
 * Lifts, for this transaction, the timeouts an application sets for its short statements: building an index, or waiting while
 * another process migrates, may rightly take longer. Not every server version knows every name.
 */
export const liftTimeouts: (schema: string) => Statement = defineStatement<[]>(
  'migrator.lift_timeouts',
  () => /* sql */ `
    select set_config(name, '0', true) as value
    from pg_catalog.pg_settings
    where name in (
      'statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout', 'transaction_timeout'
    )`,
  () => [],
)
