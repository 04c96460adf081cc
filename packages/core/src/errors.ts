import { constants } from 'node:os'

/**
 * Codes thrown by `@howdah/core`. Each is explained in `docs/errors.md`.
 */
export type CoreErrorCode =
  | 'CORE_INVALID_OPTION'
  | 'CORE_INVALID_NAME'
  | 'CORE_INVALID_DURATION'
  | 'CORE_INVALID_SOURCE'
  | 'CORE_CONFLICTING_OPTIONS'
  | 'CORE_UNKNOWN_CLIENT'
  | 'CORE_CLIENT_IS_POOL'
  | 'CORE_TRANSACTION_OVER'
  | 'CORE_TRANSACTION_ABORTED'
  | 'CORE_CLOSED'
  | 'CORE_OVERLOADED'
  | 'CORE_BATCH_MISMATCH'
  | 'CORE_PAYLOAD_TOO_LARGE'
  | 'CORE_HUB_DISCONNECTED'
  | 'CORE_HUB_DEAF'
  | 'CORE_HUB_MALFORMED'
  | 'CORE_MIGRATION_REQUIRED'
  | 'CORE_MIGRATION_CHANGED'
  | 'CORE_MIGRATION_TOO_NEW'
  | 'CORE_MIGRATION_FAILED'
  | 'CORE_MIGRATION_FORBIDDEN'
  | 'CORE_TENANT_CONFLICT'

/** Survives two copies of this module in one process (ESM beside CommonJS), where `instanceof` does not. */
const BRAND = Symbol.for('howdah.error')

/**
 * The one error class of every Howdah package. Branch on {@link HowdahError.code}, never on the message:
 * messages say what to do and may be reworded in any release.
 *
 * Errors of the database driver are wrapped and stay reachable as `cause`, with their SQLSTATE in `cause.code`.
 *
 * @example
 * ```ts
 * import { isHowdahError, parseDuration } from '@howdah/core'
 *
 * try {
 *   parseDuration('-5s')
 * } catch (error) {
 *   if (isHowdahError(error, 'CORE_INVALID_DURATION')) console.log(error.message)
 * }
 * ```
 */
export class HowdahError<Code extends string = string> extends Error {
  override readonly name = 'HowdahError'
  /** A stable, documented name of what went wrong. */
  readonly code: Code

  constructor(code: Code, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
    Object.defineProperty(this, BRAND, { value: true })
  }
}

/**
 * Tells whether a value is a {@link HowdahError}, optionally one with the given code. Works for errors of
 * another copy of the package, where `instanceof` fails.
 */
export function isHowdahError<Code extends string = string>(
  value: unknown,
  code?: Code,
): value is HowdahError<Code> {
  if (typeof value !== 'object' || value === null || !(BRAND in value)) return false
  return code === undefined || (value as unknown as HowdahError).code === code
}

/**
 * SQLSTATE of a driver error, looking through the wrappers of every supported library; `undefined` where the server did not
 * answer.
 *
 * @example
 * ```ts
 * import { sqlState } from '@howdah/core'
 *
 * sqlState(Object.assign(new Error('duplicate key'), { code: '23505' })) // '23505'
 * ```
 */
export function sqlState(error: unknown): string | undefined {
  for (let at = error, depth = 0; typeof at === 'object' && at !== null && depth < 8; depth++) {
    const wrapper = at as DriverErrorLike
    // Prisma's own codes (P2010) look like a SQLSTATE; the server's is what its driver adapter was given.
    const code = wrapper.clientVersion === undefined ? wrapper.code : wrapper.meta?.code
    if (isSqlState(code)) return code
    if (isSqlState(wrapper.originalCode)) return wrapper.originalCode
    at = wrapper.cause ?? wrapper.meta?.driverAdapterError
  }
  return undefined
}

interface DriverErrorLike {
  readonly code?: unknown
  readonly cause?: unknown
  readonly originalCode?: unknown
  readonly clientVersion?: unknown
  readonly meta?: { readonly code?: unknown; readonly driverAdapterError?: unknown } | null
}

/** Five digits and capitals, like some errors of the operating system (`EPIPE`). */
function isSqlState(code: unknown): code is string {
  return typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) && !(code in constants.errno)
}
