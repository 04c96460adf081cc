import { sqlState } from '../errors.js'

/**
 * SQLSTATEs, by how they start, that tell of the connection, the server or the time a statement took, and so are the same
 * for every input of a batch. Sending each input again would only multiply the load on a server in trouble, and with a
 * statement timeout hold every caller for many times that timeout.
 *
 * 08 connection, 0A feature (a cached plan that DDL outdated), 25 transaction state (a standby), 26 prepared statement
 * unknown, 28 authorisation, 3D and 3F database or schema unknown, 40003 outcome unknown, 53 resources, 55P03 lock timeout,
 * 57 shutdown, cancellation and statement timeout, 58 system.
 *
 * @see https://www.postgresql.org/docs/current/errcodes-appendix.html
 */
const NOT_ONE_INPUT = /^(?:08|0A|25|26|28|3D|3F|40003|53|55P03|57|58)/

/**
 * Tells whether a batch failed in a way that smaller batches can narrow down to the inputs at fault: the server said what is
 * wrong, hence applied nothing. Without a SQLSTATE it may have applied everything.
 *
 * @example
 * ```ts
 * import { canNarrowDown } from '@howdah/core'
 *
 * canNarrowDown(Object.assign(new Error('value too long'), { code: '22001' })) // true
 * ```
 */
export function canNarrowDown(error: unknown): boolean {
  const state = sqlState(error)
  return state !== undefined && !NOT_ONE_INPUT.test(state)
}

/**
 * Copies an error for one more caller, so that what one of them adds to its error (a stack, a property) shows in no other's.
 * It stays an instance of the same class with the same properties.
 */
export function copyError(error: unknown): unknown {
  if (!(error instanceof Error)) return error
  const copy = new Error(error.message)
  Object.setPrototypeOf(copy, Object.getPrototypeOf(error))
  const { stack: _, ...properties } = Object.getOwnPropertyDescriptors(error)
  Object.defineProperties(copy, properties)
  Object.defineProperty(copy, 'stack', { value: error.stack, configurable: true, writable: true })
  return copy
}
