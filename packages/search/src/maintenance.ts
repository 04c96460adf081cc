/**
 * The background work of an index. Every process that has the index open does it now and then; a lock in the database lets one do a step at a
 * time, and each step is a transaction, so a process that dies leaves nothing to clean up.
 */
import { type Database, Loop, sqlState } from '@howdah/core'
import type { IndexNames } from './names.js'
import { maintainSome, vacuumPostings } from './sql/engine-calls.js'
import { foldWords } from './sql/fold-words.js'

/** How long an index that has nothing to do is left alone. */
const INTERVAL = '2s'
/** Room for the application between two steps. */
const BETWEEN_STEPS = 20
const GONE = new Set(['42P01', '42883'])

/** What is maintained of an index. */
export interface Maintained {
  readonly names: IndexNames
  /** Number of the vocabulary. */
  readonly vocabulary: number
  /** Whether there is more to do than to add words up. */
  readonly maintains: boolean
}

/** Does one step of the tables, and answers what it was: `busy` where another process is at it. */
export async function tidyOnce(
  db: Database,
  names: IndexNames,
  thoroughly: boolean,
): Promise<string | undefined> {
  const [step] = await db.query(maintainSome(names, thoroughly))
  if (step?.did === 'dropped') await db.query(vacuumPostings(names))
  return step?.did ?? undefined
}

/**
 * Does one step, and answers whether there may be another: not where another process is at it. What a merge leaves behind is vacuumed at
 * once, since the next one needs as much room again.
 */
export async function maintainOnce(
  db: Database,
  { names, vocabulary, maintains }: Maintained,
  thoroughly: boolean,
): Promise<'busy' | string | undefined> {
  const did = maintains ? await tidyOnce(db, names, thoroughly) : undefined
  if (did === 'busy') return thoroughly ? 'busy' : undefined
  if (did !== undefined) return did
  const [fold] = await db.query(foldWords(db.schema, vocabulary))
  if (fold?.folded === null) return thoroughly ? 'busy' : undefined
  return fold?.folded === 0 ? undefined : 'folded'
}

/** Tidies up behind the writers of one index. */
export class Maintenance {
  readonly #db: Database
  readonly #index: (fresh?: boolean) => Promise<Maintained>
  readonly #prune: (now: boolean) => Promise<void>
  readonly #loop: Loop

  /** `prune` is done where there is nothing else to do, at once or when it is time. */
  constructor(
    db: Database,
    index: (fresh?: boolean) => Promise<Maintained>,
    prune: (now: boolean) => Promise<void>,
  ) {
    this.#db = db
    this.#index = index
    this.#prune = prune
    this.#loop = new Loop({ interval: INTERVAL, run: () => this.#step() })
  }

  start(): void {
    this.#loop.start()
  }

  stop(): Promise<void> {
    return this.#loop.stop()
  }

  /** Does everything there is to do, and waits for other processes that are at it. */
  async runToEnd(): Promise<void> {
    const index = await this.#index(true)
    for (;;) {
      const did = await maintainOnce(this.#db, index, true)
      if (did === undefined) return this.#prune(true)
      if (did === 'busy') await new Promise((resolve) => setTimeout(resolve, BETWEEN_STEPS))
    }
  }

  async #step(): Promise<number | undefined> {
    try {
      const did = await maintainOnce(this.#db, await this.#index(), false)
      if (did !== undefined) return BETWEEN_STEPS
      await this.#prune(false)
      return undefined
    } catch (error) {
      // Detached or rebuilt meanwhile; the next round looks which tables there are.
      if (!GONE.has(sqlState(error) ?? '')) throw error
      await this.#index(true)
      return undefined
    }
  }
}
