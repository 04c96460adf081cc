/**
 * Whose rows a search is about, and how it goes about it. What policies of the table hide must not be told, and what is told comes from one of two ways:
 *
 * - *row by row*: every match is joined with the live rows under the rights of the caller, so that all that is told is of rows it sees. Exact under any policy;
 *   words of the tenant, which are of all its rows, are not told.
 * - *by the index*: hits are joined, and the rest comes from the tenant's part of the index. For callers whom no policy binds, and where the index says that policies go by
 *   tenant, for those who see all of a few live rows of the tenant that were looked at. Who sees some of these and not others is served row by row, for policies then
 *   are not what the index says; who sees none is told nothing.
 *
 * A tenant with few rows is served row by row in any case, beginning with its rows, as that takes less time.
 */
import type { Database, TransactionHandle } from '@howdah/core'
import { searchError } from '../errors.js'
import type { IndexNames } from '../names.js'
import type { Definition } from '../options.js'
import { readTenant, type TenantRow } from '../sql/read-tenant.js'

/** A value of the column of tenants. */
export type TenantValue = string | number | bigint

/** The tenant of a search. */
export interface TenantScope {
  /** The value of the column, as text. */
  readonly value: string
  /** The word that its documents have, and the name of its vocabulary. */
  readonly word: string
  /** Whether it has so few rows that a search begins with them. */
  readonly few: boolean
  /** Whether nothing may be told, or there is nothing to tell. */
  readonly nothing: boolean
  /** Whether policies decide about each row, so that what is told must be of rows that the caller sees. */
  readonly secured: boolean
}

/**
 * Rows of a tenant that a search looks at each of, rather than at postings of everybody's rows: among 250,000 rows, 100 take 2 ms, 800 take 8, and 1500 by postings
 * take 3 to 7 (PostgreSQL 18).
 */
const FEW_ROWS = 500

/** @throws {@link HowdahError} SEARCH_INVALID_QUERY */
export function resolveTenant(
  { name, tenant: column }: Definition,
  given: unknown,
  own: string | undefined,
): string | undefined {
  if (column === undefined) {
    if (given === undefined) return undefined
    throw invalid(
      `The index '${name}' has no tenants. Leave out tenant, or name its column in the index's options.`,
    )
  }
  if (given === undefined && own !== undefined) return own
  const value = textOf(given)
  if (value === undefined) {
    throw invalid(
      `The index '${name}' has tenants. Say whose rows are searched: tenant must be a string without NUL, or a number.`,
    )
  }
  if (own !== undefined && own !== value) {
    throw invalid(
      'This is the index of one tenant, of the database it was made with, and tenant names another.',
    )
  }
  return value
}

/** Reads what a search of a tenant must know first. */
export async function readScope(
  db: Database,
  names: IndexNames,
  { tenant }: Definition,
  value: string,
  client: TransactionHandle | undefined,
): Promise<TenantScope> {
  const byTenant = tenant?.policies === 'tenant'
  const [row] = await db.query(readTenant(names, value, byTenant), client)
  const { word, documents, secured, looked, seen } = row as TenantRow
  const unseen = secured && byTenant && looked > 0 && seen === 0
  const nothing = Number(documents) <= 0 || unseen
  const whole = !secured || (byTenant && looked > 0 && seen === looked)
  return { value, word, few: Number(documents) <= FEW_ROWS, nothing, secured: nothing || !whole }
}

function textOf(value: unknown): string | undefined {
  if (typeof value === 'number') return Number.isFinite(value) ? String(value) : undefined
  if (typeof value === 'bigint') return String(value)
  if (typeof value !== 'string' || value.includes('\0') || /\p{Surrogate}/u.test(value))
    return undefined
  return value
}

function invalid(message: string) {
  return searchError('SEARCH_INVALID_QUERY', message)
}
