/**
 * Refreshing a view.
 *
 * Invariants
 * - One refresh of a query runs at any time, in all processes: it holds the query's lock.
 * - Marks go with the refresh that settles them, in its transaction. One that fails or dies leaves them.
 * - A call of `refresh()` is answered by a refresh that began after it, and of the calls that wait one runs it: the number a
 *   refresh draws as it begins is higher than those drawn by the calls before.
 */
import { sqlState, type Transaction } from '@howdah/core'
import { beginRun, takeTicket } from '../sql/materialized-begin-run.js'
import { refreshView } from '../sql/materialized-build.js'
import { type DueRow, dueQuery } from '../sql/materialized-due.js'
import { failRun, finishRun } from '../sql/materialized-end-run.js'
import { readRun } from '../sql/materialized-read-run.js'
import type { Definition } from './definition.js'
import { failed, messageOf, whyNotBuilt } from './failure.js'
import type { QueryLock } from './lock.js'

/** How a refresh ended. */
type Outcome = { readonly ok: true } | { readonly ok: false; readonly error: unknown }

/** Draws a ticket: refreshes that begin after this call have higher numbers. */
export async function drawTicket({ db }: Definition): Promise<bigint> {
  const [drawn] = await db.query(takeTicket(db.schema))
  return BigInt(drawn?.ticket ?? 0)
}

/** Waits for a refresh newer than the ticket, and runs it if nobody else does; `false` where the query was dropped. */
export async function refreshAfter(
  definition: Definition,
  lock: QueryLock,
  ticket: bigint,
): Promise<boolean> {
  const { name } = definition
  const outcome = await lock.until<Outcome | 'dropped'>(async () => {
    const done = await answered(definition, ticket)
    if (typeof done !== 'number') return done
    const attempt = await lock.attempt(async (tx) => {
      const now = await answered(definition, ticket, tx)
      return typeof now === 'number' ? run(definition, now, tx) : now
    })
    return attempt?.value
  })
  if (outcome === 'dropped') return false
  if (!outcome.ok) throw whyNotBuilt(name, outcome.error)
  return true
}

/** Refreshes if it is due and nobody else does. Answers whether it did. */
export async function refreshIfDue(definition: Definition, lock: QueryLock): Promise<boolean> {
  const attempt = await lock.attempt(async (tx) => {
    const due = await readDue(definition, tx)
    return due?.built === true && due.wait === 0 ? run(definition, due.id, tx) : undefined
  })
  const outcome = attempt?.value
  if (outcome?.ok === false) throw whyNotBuilt(definition.name, outcome.error)
  return outcome !== undefined
}

/** Reads when the query is due; `undefined` where it was dropped. */
export async function readDue(
  definition: Definition,
  tx?: Transaction,
): Promise<DueRow | undefined> {
  const { db, name } = definition
  const [due] = await db.query(dueQuery(db.schema, name, definition), tx)
  return due
}

/** How a refresh newer than the ticket ended; the query's id where there was none yet. */
async function answered(definition: Definition, ticket: bigint, tx?: Transaction) {
  const { db, name } = definition
  const [last] = await db.query(readRun(db.schema, name), tx)
  if (last === undefined) return 'dropped'
  if (BigInt(last.run) <= ticket) return last.id
  return last.error === null
    ? { ok: true as const }
    : { ok: false as const, error: failed(name, last.error) }
}

/** Refreshes, and notes how that went whether it went well or not. */
async function run(definition: Definition, id: number, tx: Transaction): Promise<Outcome> {
  const { db } = definition
  await tx.query('savepoint howdah_refresh')
  const [begun] = await db.query(beginRun(db.schema, id), tx)
  const { run, started } = begun as { run: string; started: number }
  try {
    await tx.query(refreshView(definition))
  } catch (error) {
    await tx.query('rollback to savepoint howdah_refresh').catch(() => {
      // The connection is lost; that is not why.
      throw error
    })
    await db.query(failRun(db.schema, id, run, sqlState(error) ?? null, messageOf(error)), tx)
    return { ok: false, error }
  }
  await db.query(finishRun(db.schema, id, run, started, null), tx)
  return { ok: true }
}
