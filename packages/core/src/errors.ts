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
  | 'CORE_UNSUPPORTED'
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
 *   parseDuration('soon')
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

/** SQLSTATE of a driver error, looking through wrappers; `undefined` where the server did not answer. */
export function sqlState(error: unknown): string | undefined {
  for (let at = error, depth = 0; at !== undefined && at !== null && depth < 8; depth++) {
    const { code, cause, meta } = at as {
      code?: unknown
      cause?: unknown
      meta?: { code?: unknown }
    }
    if (typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code)) return code
    // Prisma reports the SQLSTATE of a raw query beside its own code.
    if (typeof meta?.code === 'string' && /^[0-9A-Z]{5}$/.test(meta.code)) return meta.code
    at = cause
  }
  return undefined
}
