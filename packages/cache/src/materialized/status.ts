import type { StatusRow } from '../sql/materialized-status.js'

/** What a {@link MaterializedQuery} failed with last. */
export interface MaterializedFailure {
  /** SQLSTATE, where the server sent one. */
  readonly code: string | undefined
  readonly message: string
  /** When, by the database's clock. */
  readonly at: Date
  /** Refreshes that failed since one went well. */
  readonly times: number
}

/** How a {@link MaterializedQuery} stands, in the eyes of the database. */
export interface MaterializedStatus {
  /** When the rows were true: as the last refresh that went well began. `undefined` before the first use. */
  readonly refreshedAt: Date | undefined
  /** How long ago that was, by the database's clock. */
  readonly ageMs: number | undefined
  /** How long it took. */
  readonly durationMs: number | undefined
  /** Whether a process is refreshing or building it now. */
  readonly refreshing: boolean
  /** Whether a tracked table has changed since. */
  readonly dirty: boolean
  /** What the last refresh failed with; `undefined` when it went well. */
  readonly lastError: MaterializedFailure | undefined
  /** About how many rows it has, as the planner believes. */
  readonly rows: number | undefined
}

/** Turns what the database says into what we answer. */
export function statusOf(row: StatusRow | undefined): MaterializedStatus {
  return {
    refreshedAt: row?.refreshed == null ? undefined : new Date(row.refreshed),
    ageMs: row?.age ?? undefined,
    durationMs: row?.duration ?? undefined,
    refreshing: row?.busy ?? false,
    dirty: row?.dirty ?? false,
    lastError: failureOf(row),
    rows: row?.rows ?? undefined,
  }
}

function failureOf(row: StatusRow | undefined): MaterializedFailure | undefined {
  if (row == null || row.error === null || row.failed === null) return undefined
  return {
    code: row.code ?? undefined,
    message: row.error,
    at: new Date(row.failed),
    times: row.failures,
  }
}
