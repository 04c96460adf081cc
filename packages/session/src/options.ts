import { type DatabaseSource, type Duration, parseDuration } from '@howdah/core'
import { sessionError } from './errors.js'
import { isWellFormed } from './id.js'
import { type EncryptionOptions, KeyRing, PLAIN } from './key-ring.js'

/** Options of {@link Sessions}. */
export interface SessionsOptions<Data extends object = Record<string, unknown>> {
  /** The application's pool, a PGlite, or a Database. We never end it. */
  readonly pool: DatabaseSource
  /** Keeps the sessions of several applications in one schema apart. At most 200 characters. @defaultValue `'default'` */
  readonly name?: string | undefined
  /** How long a session lives without being used, unless a call or a cookie says otherwise. @defaultValue `'1d'` */
  readonly ttl?: Duration | undefined
  /** How long a session lives at most, however much it is used; counted from when it began. @defaultValue `false` */
  readonly absoluteTimeout?: Duration | false | undefined
  /** Whether using a session prolongs it. Where it does not, it ends when it was first said to. @defaultValue `true` */
  readonly rolling?: boolean | undefined
  /**
   * A touch is written once the end would move by this part of the life left then, so that a session in use costs a write from time to time and not at every
   * request. From 0, which writes always, to 1.
   *
   * @defaultValue `0.1`
   */
  readonly touchEvery?: number | undefined
  /** Largest session in bytes of JSON. @defaultValue `1048576` */
  readonly maxBytes?: number | undefined
  /** Answers whose session it is: a string or a number, nothing for nobody's. @defaultValue what the key `userId` of the data holds */
  readonly userId?: ((data: Data) => string | number | bigint | null | undefined) | undefined
  /** How many sessions a user may have; where another begins, the oldest ends. @defaultValue no limit */
  readonly maxPerUser?: number | undefined
  /** Encrypts what sessions hold. Who they belong to, devices and times stay readable. @defaultValue no encryption */
  readonly encryption?: EncryptionOptions | undefined
  /**
   * How often each process removes expired rows; `false` leaves that to other processes, or to pg_cron.
   *
   * @defaultValue `'1m'`
   */
  readonly pruneInterval?: Duration | false | undefined
}

/** {@link SessionsOptions} with every default filled in, times in milliseconds. */
export interface ResolvedSessionsOptions {
  readonly name: string
  readonly ttl: number
  readonly absoluteTimeout: number | null
  readonly rolling: boolean
  readonly touchEvery: number
  readonly maxBytes: number
  readonly userId: (data: object) => unknown
  readonly maxPerUser: number | undefined
  readonly ring: KeyRing | undefined
  readonly pruneInterval: number | false
}

/** @throws {@link HowdahError} SESSION_INVALID_OPTION, CORE_INVALID_DURATION */
export function resolveSessionsOptions<Data extends object>(
  options: SessionsOptions<Data>,
): ResolvedSessionsOptions {
  if (typeof options !== 'object' || options === null)
    throw invalid('Pass the options as an object: { pool }.')
  const { name = 'default', ttl = '1d', absoluteTimeout = false, rolling = true } = options
  const { touchEvery = 0.1, maxBytes = 1_048_576, maxPerUser, pruneInterval = '1m' } = options
  const { userId = ofUserId, encryption } = options
  if (
    typeof name !== 'string' ||
    name === '' ||
    name.length > 200 ||
    !isWellFormed(name) ||
    name.includes('\0')
  ) {
    throw invalid('name must be 1 to 200 well-formed characters without NUL.')
  }
  if (typeof rolling !== 'boolean') throw invalid('rolling must be true or false.')
  if (!(touchEvery >= 0 && touchEvery <= 1))
    throw invalid('touchEvery must be a number from 0 to 1.')
  positive('maxBytes', maxBytes)
  if (maxPerUser !== undefined) positive('maxPerUser', maxPerUser)
  if (typeof userId !== 'function') throw invalid('userId must be a function of the data.')
  return Object.freeze({
    name,
    ttl: parseDuration(ttl, 'ttl', { min: 1 }),
    absoluteTimeout:
      absoluteTimeout === false
        ? null
        : parseDuration(absoluteTimeout, 'absoluteTimeout', { min: 1 }),
    rolling,
    touchEvery,
    maxBytes,
    userId: userId as (data: object) => unknown,
    maxPerUser,
    ring: encryption === undefined ? undefined : new KeyRing(encryption),
    pruneInterval:
      pruneInterval === false ? false : parseDuration(pruneInterval, 'pruneInterval', { min: 1 }),
  })
}

/** What seals and opens texts by these options. */
export function ringOf({ ring }: ResolvedSessionsOptions): Pick<KeyRing, 'seal' | 'open'> {
  return ring ?? PLAIN
}

function ofUserId(data: object): unknown {
  const user = (data as { readonly userId?: unknown }).userId
  return ['string', 'number', 'bigint'].includes(typeof user) ? user : undefined
}

function positive(name: string, value: number): void {
  if (!Number.isSafeInteger(value) || value < 1)
    throw invalid(`${name} must be a positive whole number.`)
}

function invalid(message: string) {
  return sessionError('SESSION_INVALID_OPTION', message)
}
