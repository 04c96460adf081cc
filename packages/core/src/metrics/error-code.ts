import { isHowdahError, sqlState } from '../errors.js'

/** A name of an error that belongs to a closed set, so that it can be counted by: our code, an SQLSTATE, or one of Node.js; `other` for what an application throws. */
export function errorCode(error: unknown): string {
  if (isHowdahError(error)) return error.code
  const state = sqlState(error)
  if (state !== undefined) return state
  const code =
    typeof error === 'object' && error !== null ? (error as { code?: unknown }).code : undefined
  return typeof code === 'string' && /^E[A-Z]{2,20}$/.test(code) ? code : 'other'
}
