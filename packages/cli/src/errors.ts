import { HowdahError } from '@howdah/core'

/** Codes of what the command refuses by itself; other codes come from `@howdah/core`. */
export type CliErrorCode =
  | 'CLI_INVALID_OPTION'
  | 'CLI_UNKNOWN_PACKAGE'
  | 'CLI_NOT_CONFIRMED'
  | 'CLI_NOT_INSTALLED'
  | 'CLI_NOT_FOUND'
  | 'CLI_SERVER_ENDED'

/** Makes an error of this package. */
export function cliError(code: CliErrorCode, message: string): HowdahError<CliErrorCode> {
  return new HowdahError(code, message)
}

/** Says in one sentence what went wrong, whatever was thrown. */
export function describeError(error: unknown): {
  readonly code?: string
  readonly message: string
} {
  // Node.js tries every address of a host, and gathers what each said in an error without a message.
  const [first] = error instanceof AggregateError ? error.errors : [error]
  const { code, message } = first as { code?: unknown; message?: unknown }
  return {
    ...(typeof code === 'string' ? { code } : {}),
    message: typeof message === 'string' && message !== '' ? message : String(first),
  }
}
