import { type Duration, parseDuration } from '@howdah/core'
import { sessionError } from '../errors.js'

/** What can be changed while a mirror runs. */
export interface MirrorSwitch {
  /** Which store answers, and decides how each request ends. */
  readonly readFrom: 'old' | 'new'
  /** Whether reads are compared with the other store, after the request has its answer. */
  readonly shadow: boolean
}

/** Options of `mirror()`. */
export interface MirrorOptions extends MirrorSwitch {
  /** How long a request waits at most for the store that is not read from. @defaultValue `'500ms'` */
  readonly timeout?: Duration | undefined
}

/** @throws {@link HowdahError} SESSION_INVALID_OPTION */
export function checkedSwitch(options: MirrorSwitch): MirrorSwitch {
  const { readFrom, shadow } = (options ?? {}) as Partial<MirrorSwitch>
  if (readFrom !== 'old' && readFrom !== 'new') throw invalid("readFrom must be 'old' or 'new'.")
  if (typeof shadow !== 'boolean') throw invalid('shadow must be true or false.')
  return Object.freeze({ readFrom, shadow })
}

/** @throws {@link HowdahError} SESSION_INVALID_OPTION, CORE_INVALID_DURATION */
export function resolveMirrorOptions(options: MirrorOptions): MirrorSwitch & { timeout: number } {
  const chosen = checkedSwitch(options)
  const timeout = parseDuration(options.timeout ?? '500ms', 'timeout', { min: 1 })
  return Object.freeze({ ...chosen, timeout })
}

function invalid(message: string) {
  return sessionError('SESSION_INVALID_OPTION', message)
}
