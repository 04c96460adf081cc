import { defineStatement, type Statement } from '@howdah/core'
import { holdsLock } from './materialized-lock.js'

/** Cancels what a server process runs, if it still holds the query's lock. */
export const cancelQuery: (schema: string, name: string, pid: number) => Statement<never> =
  defineStatement(
    'cache.materialized-cancel',
    (s) => /* sql */ `
      select pg_cancel_backend(l.pid) as cancelled from pg_catalog.pg_locks l
      where l.pid = $2::int and ${holdsLock(s)}`,
    (name, pid) => [name, pid],
  )
