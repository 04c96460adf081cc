/**
 * Making a query's triggers and view, and taking them away.
 *
 * States: absent -> tracked (the triggers are there) -> built (the view too) -> absent. A definition that changed goes from built
 * to built; the old view is read until the new one takes its place.
 *
 * Invariants
 * - Triggers are committed before the snapshot that fills the view, so a change is in the rows or marked.
 * - Each step is one transaction under the query's lock that first looks what is still to do: of many processes that start at once
 *   one does it, and what a process that died has left is gone on with.
 */
import type { Transaction } from '@howdah/core'
import { sqlState } from '@howdah/core'
import { beginRun } from '../sql/materialized-begin-run.js'
import {
  buildView,
  dropTriggers,
  dropViews,
  installTriggers,
  swapViews,
} from '../sql/materialized-build.js'
import { finishRun } from '../sql/materialized-end-run.js'
import { forgetQuery } from '../sql/materialized-forget.js'
import { type InspectedRow, inspectQuery } from '../sql/materialized-inspect.js'
import { registerQuery } from '../sql/materialized-register.js'
import type { Definition } from './definition.js'
import { LOCK_NOT_AVAILABLE, whyNotBuilt, whyNotTracked } from './failure.js'
import type { QueryLock } from './lock.js'

/** Makes what is missing or was made from another definition. */
export async function build(definition: Definition, lock: QueryLock): Promise<void> {
  await lock.until(async () => {
    if (isWhole(definition, await inspect(definition))) return true
    const step = await lock.attempt(async (tx) => {
      const known = await inspect(definition, tx)
      if (known === undefined || !isTracked(definition, known)) {
        await track(definition, lock, tx)
        return 'tracked'
      }
      if (!isBuilt(definition, known)) await buildAndSwap(definition, lock, known.id, tx)
      return 'built'
    })
    return step?.value === 'built' ? true : undefined
  })
}

/** Removes the view, the triggers and every trace of the query. */
export async function drop(definition: Definition, lock: QueryLock): Promise<void> {
  const { db } = definition
  await lock.until(async () => {
    const done = await lock.attempt(async (tx) => {
      const known = await inspect(definition, tx)
      if (known === undefined) return true
      try {
        const statements = [...dropTriggers(definition, known.id), ...dropViews(definition)]
        await lock.politely(tx, statements)
        await db.query(forgetQuery(db.schema, known.id), tx)
        return true
      } catch (error) {
        throw rethrown(error, whyNotBuilt(definition.name, error))
      }
    })
    return done?.value
  })
}

/** Whether nobody has taken the view or the triggers away, or made them from another definition. */
export function isWhole(
  definition: Definition,
  known: Omit<InspectedRow, 'id'> | undefined,
): boolean {
  return known !== undefined && isTracked(definition, known) && isBuilt(definition, known)
}

function isTracked({ tracked, tables }: Definition, known: Omit<InspectedRow, 'id'>): boolean {
  return known.tracked === tracked && known.triggers === tables.length
}

function isBuilt({ shape }: Definition, known: Omit<InspectedRow, 'id'>): boolean {
  return known.built && known.shape === shape
}

async function inspect(definition: Definition, tx?: Transaction) {
  const { db, name, tables, trigger } = definition
  const [known] = await db.query(inspectQuery(db.schema, name, tables, trigger), tx)
  return known
}

async function track(definition: Definition, lock: QueryLock, tx: Transaction): Promise<void> {
  const { db, name, relation, tracked } = definition
  try {
    const [row] = await db.query(registerQuery(db.schema, name, relation, tracked), tx)
    await lock.politely(tx, installTriggers(definition, row?.id as number))
  } catch (error) {
    throw rethrown(error, whyNotTracked(name, error))
  }
}

async function buildAndSwap(definition: Definition, lock: QueryLock, id: number, tx: Transaction) {
  const { db, name, shape } = definition
  try {
    const [begun] = await db.query(beginRun(db.schema, id), tx)
    for (const text of buildView(definition)) await tx.query(text)
    await lock.until(() => swap(definition, lock, tx))
    const { run, started } = begun as { run: string; started: number }
    await db.query(finishRun(db.schema, id, run, started, shape), tx)
  } catch (error) {
    throw rethrown(error, whyNotBuilt(name, error))
  }
}

/** Tries to replace the old view without throwing the new one away when the old one is being read. */
async function swap(definition: Definition, lock: QueryLock, tx: Transaction): Promise<true> {
  await tx.query('savepoint howdah_swap')
  try {
    await lock.politely(tx, swapViews(definition))
    return true
  } catch (error) {
    await tx.query('rollback to savepoint howdah_swap').catch(() => {
      throw error
    })
    throw error
  }
}

/** A lock that was not had is told apart by whoever tries again. */
function rethrown(error: unknown, explained: unknown): unknown {
  return sqlState(error) === LOCK_NOT_AVAILABLE ? error : explained
}
