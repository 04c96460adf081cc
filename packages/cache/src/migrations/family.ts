/**
 * The entries of a namespace lie in one of two tables of the same shape: UNLOGGED ones, which a crash of the server empties, and
 * logged ones. The functions that work on entries exist once for each.
 */
export interface Family {
  /** Ends the names of the table and its functions. */
  readonly suffix: '' | '_logged'
  readonly logged: boolean
}

export const FAMILIES: readonly Family[] = [
  { suffix: '', logged: false },
  { suffix: '_logged', logged: true },
]

/** Qualified name of a family's table. */
export function entryTable(s: string, { suffix }: Family): string {
  return `${s}.cache_entry${suffix}`
}
