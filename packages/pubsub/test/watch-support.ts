import { expect } from 'vitest'
import type { RowChange, Watch, WatchedChange } from '../src/index.js'

/** A row of any table. */
export type AnyRow = Record<string, unknown>

/** What a reader knows of a table. */
export class Replica {
  readonly rows = new Map<string, AnyRow>()
  readonly #strict: boolean

  /** A strict one fails on a change that does not fit what it knows. */
  constructor(strict = true) {
    this.#strict = strict
  }

  /** Takes over the rows of a bootstrap and answers its position. */
  async bootstrap(watch: Watch<AnyRow>, batchSize?: number): Promise<string> {
    const { rows, position } = await watch.bootstrap({ batchSize })
    this.rows.clear()
    for await (const { id, row } of rows) {
      expect(this.rows.has(id)).toBe(false)
      this.rows.set(id, row)
    }
    return position
  }

  apply(change: WatchedChange<AnyRow>): void {
    const { id = '' } = change
    switch (change.op) {
      case 'insert':
      case 'enter':
        if (this.#strict) expect([change, this.rows.has(id)]).toEqual([change, false])
        this.rows.set(id, change.row)
        return
      case 'update':
        if (this.#strict) expect([change, this.rows.has(id)]).toEqual([change, true])
        this.rows.set(id, { ...this.rows.get(id), ...change.row })
        return
      case 'delete':
      case 'leave':
        if (this.#strict) expect([change, this.rows.has(id)]).toEqual([change, true])
        this.rows.delete(id)
        return
      case 'truncate':
        this.rows.clear()
        return
      default:
        throw new Error(`lost: ${change.reason}`)
    }
  }

  /** Applies what follows a position, up to the change about a row that is the last one. */
  async follow(watch: Watch<AnyRow>, after: string, lastId: string): Promise<this> {
    if (this.rows.has(lastId)) return this
    for await (const change of watch.changes({ after, signal: AbortSignal.timeout(20_000) })) {
      this.apply(change)
      if (change.id === lastId) return this
    }
    throw new Error('The last row was not told in time.')
  }
}

/** All changes that were told so far. */
export async function told<Row>(watch: Watch<Row>): Promise<RowChange<Row>[]> {
  const changes: RowChange<Row>[] = []
  let after = 'earliest'
  for (;;) {
    const { messages, next } = await watch.stream.read({ after })
    if (messages.length === 0) return changes
    changes.push(...messages.map(({ payload }) => payload))
    after = next
  }
}
