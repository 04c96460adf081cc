import { type Duration, parseDuration } from '../duration.js'
import { HowdahError } from '../errors.js'

/** How the process's one `LISTEN` connection is watched, and how messages are polled where it is not to be had. */
export interface HubOptions {
  /**
   * How often the connection is asked whether it is alive, and how long it may take to answer. A connection that died without
   * a word is found after at most twice this.
   *
   * @defaultValue `'5s'`
   */
  readonly liveness?: Duration | undefined
  /** How long a connection attempt may take. @defaultValue `'10s'` */
  readonly connectTimeout?: Duration | undefined
  /** Longest wait between two connection attempts; the waits grow towards it, drawn at random. @defaultValue `'10s'` */
  readonly reconnectMax?: Duration | undefined
  /**
   * How long a notification sent through the pool may take to arrive before the connection counts as deaf: connected to
   * another server or database, or behind a pooler.
   *
   * @defaultValue `'3s'`
   */
  readonly selfTest?: Duration | undefined
  /** How often messages are read while polling and nothing comes; five times as often while they come. @defaultValue `'250ms'` */
  readonly pollInterval?: Duration | undefined
  /**
   * How often a hub tries again to listen that polls because its connection did not hear, or led to a pooler.
   *
   * @defaultValue `'1m'`
   */
  readonly listenAgain?: Duration | undefined
}

/** {@link HubOptions} in milliseconds with every default filled in. */
export type ResolvedHubOptions = { readonly [Name in keyof HubOptions]-?: number }

const DEFAULTS: { readonly [Name in keyof HubOptions]-?: Duration } = {
  liveness: '5s',
  connectTimeout: '10s',
  reconnectMax: '10s',
  selfTest: '3s',
  pollInterval: '250ms',
  listenAgain: '1m',
}

const NAMES = Object.keys(DEFAULTS) as (keyof HubOptions)[]

/** Below this the machine's own noise reads as a failure. */
const SHORTEST = 10

/** Longer than this no timer of Node.js runs. */
const LONGEST = 2_147_483_647

/** @throws {@link HowdahError} CORE_INVALID_OPTION, CORE_INVALID_DURATION */
export function resolveHubOptions(options: HubOptions = {}): ResolvedHubOptions {
  if (typeof options !== 'object' || options === null) {
    throw new HowdahError('CORE_INVALID_OPTION', 'hub must be an object of options.')
  }
  const resolved = NAMES.map((name) => {
    const value = options[name] ?? DEFAULTS[name]
    return [name, parseDuration(value, `hub.${name}`, { min: SHORTEST, max: LONGEST })]
  })
  return Object.freeze(Object.fromEntries(resolved)) as ResolvedHubOptions
}

/** Tells whether every option that was asked for is what the hub was made with. */
export function sameHubOptions(made: ResolvedHubOptions, asked: HubOptions): boolean {
  const wanted = resolveHubOptions(asked)
  return NAMES.every((name) => asked[name] === undefined || wanted[name] === made[name])
}
