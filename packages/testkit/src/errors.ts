import { HowdahError } from '@howdah/core'

/** Codes thrown by `@howdah/testkit`. Each is explained in `docs/errors.md`. */
export type TestkitErrorCode =
  | 'TESTKIT_INVALID_OPTION'
  | 'TESTKIT_UNSUPPORTED'
  | 'TESTKIT_MISSING_PEER'
  | 'TESTKIT_NO_BINARIES'
  | 'TESTKIT_START_FAILED'
  | 'TESTKIT_DATA_DIR'
  | 'TESTKIT_TEMPLATE_FAILED'
  | 'TESTKIT_NOT_RUNNING'
  | 'TESTKIT_CLOSED'
  | 'TESTKIT_WATCHDOG_LOST'
  | 'TESTKIT_LEAK'
  | 'TESTKIT_TIMEOUT'

/** Makes the error every function of this package throws. */
export function testkitError(
  code: TestkitErrorCode,
  message: string,
  cause?: unknown,
): HowdahError<TestkitErrorCode> {
  return new HowdahError(code, message, cause === undefined ? undefined : { cause })
}
