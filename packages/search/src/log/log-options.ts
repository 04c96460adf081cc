import { type Duration, isHowdahError, parseDuration } from '@howdah/core'
import { searchError } from '../errors.js'

/** How an index keeps a log of its queries. */
export interface QueryLogOptions {
  /** Whether queries are kept as they were typed, or as hashes that tell equal ones from others. */
  readonly text: 'plain' | 'hashed'
  /** Key of the hashes, at least 16 characters. @defaultValue one that is made with the index and kept in the database */
  readonly secret?: string | undefined
  /** Share of the searches that is kept, over 0 and at most 1. @defaultValue `1` */
  readonly sample?: number | undefined
  /** How long they are kept. @defaultValue `'30d'` */
  readonly keep?: Duration | undefined
}

/** {@link QueryLogOptions} validated and in one form. */
export interface ResolvedLog {
  readonly text: 'plain' | 'hashed'
  readonly secret: string | undefined
  readonly sample: number
  readonly keepMs: number
}

const LEAST_SECRET = 16
const LEAST_KEPT = 60_000

/** @throws {@link HowdahError} SEARCH_INVALID_OPTION */
export function resolveLog(log: unknown): ResolvedLog | undefined {
  if (log === undefined) return undefined
  const given = typeof log === 'string' ? { text: log } : log
  if (typeof given !== 'object' || given === null) throw invalid(NONE)
  const { text, secret, sample = 1, keep = '30d' } = given as Partial<QueryLogOptions>
  if (text !== 'plain' && text !== 'hashed') throw invalid(NONE)
  if (secret !== undefined) {
    const fits = typeof secret === 'string' && secret.length >= LEAST_SECRET
    if (text !== 'hashed' || !fits) {
      throw invalid(`secret is for hashed logs, and has at least ${LEAST_SECRET} characters.`)
    }
  }
  if (typeof sample !== 'number' || !(sample > 0 && sample <= 1)) {
    throw invalid('sample must be a number over 0 and at most 1.')
  }
  return { text, secret, sample, keepMs: duration(keep, 'keep') }
}

const NONE = "log must be 'plain', 'hashed' or an object: { text, secret, sample, keep }."

/** @throws {@link HowdahError} SEARCH_INVALID_OPTION */
function duration(value: Duration, name: string): number {
  try {
    return parseDuration(value, name, { min: LEAST_KEPT })
  } catch (cause) {
    if (!isHowdahError(cause)) throw cause
    throw searchError('SEARCH_INVALID_OPTION', cause.message, { cause })
  }
}

function invalid(message: string) {
  return searchError('SEARCH_INVALID_OPTION', message)
}
