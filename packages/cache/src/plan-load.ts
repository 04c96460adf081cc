import { parseDuration } from '@howdah/core'
import { cacheError } from './errors.js'
import { storedKey } from './key.js'
import type { LoadContext, LoadPlan } from './loads.js'
import { checkTags, type GetOrSetOptions, type ResolvedCacheOptions } from './options.js'
import { decodeValue } from './value.js'
import { lifetime, toWrite } from './write.js'

/** Longest time a timer of Node.js runs. */
const LONGEST_TIMER_MS = 2 ** 31 - 1

/**
 * Checks the options of a `getOrSet` and says how its value is to be loaded; does no I/O.
 *
 * @throws {@link HowdahError} CACHE_INVALID_KEY, CACHE_INVALID_OPTION, CACHE_INVALID_TAG, CORE_INVALID_DURATION
 */
export function planLoad<T>(
  key: string,
  load: (key: string, context: LoadContext) => Promise<T> | T,
  options: GetOrSetOptions,
  defaults: ResolvedCacheOptions,
): LoadPlan {
  if (typeof load !== 'function') {
    throw cacheError('CACHE_INVALID_OPTION', 'getOrSet needs a function that loads the value.')
  }
  const { softTimeout = 0, hardTimeout, sliding, grace } = options
  const tags = checkTags(options.tags ?? [])
  lifetime(options.ttl, defaults)
  lifetime(options.negativeTtl, defaults)
  if (grace !== undefined) parseDuration(grace, 'grace')
  const timer = { min: 0, max: LONGEST_TIMER_MS }
  return {
    stored: storedKey(key),
    softTimeout: parseDuration(softTimeout, 'softTimeout', timer),
    hardTimeout:
      hardTimeout === undefined
        ? undefined
        : parseDuration(hardTimeout, 'hardTimeout', { ...timer, min: 1 }),
    decode: (stored) => decodeValue(stored, defaults.codec),
    async run(signal) {
      let skipped = false
      const context: LoadContext = {
        signal,
        tags: [...tags],
        ttl: undefined,
        skip: () => {
          skipped = true
        },
      }
      const value = await load(key, context)
      if (skipped) return { value, write: undefined }
      const absent = value === null || value === undefined
      const choices = [context.ttl, absent ? options.negativeTtl : undefined, options.ttl]
      const ttl = choices.find((choice) => choice !== undefined)
      const settings = { ttl, sliding, grace, tags: context.tags }
      return { value, write: toWrite(key, value, settings, defaults) }
    },
  }
}
