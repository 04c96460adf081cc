/** Something that failed in the store that is not read from. No request has failed for it, but for a logout. */
export interface MirrorFailure {
  readonly store: 'old' | 'new'
  readonly operation: 'get' | 'set' | 'touch' | 'destroy' | 'clear'
  /** SHA-256 of the session's id, in hex; `undefined` where it is about all of them. */
  readonly ref: string | undefined
}

/** A session of which the two stores have not the same. */
export interface MirrorMismatch {
  /** SHA-256 of its id, in hex. */
  readonly ref: string
  readonly kind: 'missing-in-old' | 'missing-in-new' | 'different'
  /** The top-level keys that differ; empty where it is missing. */
  readonly keys: readonly string[]
}

/** Events of a mirror. */
export interface MirrorEvents {
  'mirror-error': [error: unknown, failure: MirrorFailure]
  mismatch: [mismatch: MirrorMismatch]
}

/** What a mirror has done since it was made. */
export interface MirrorStats {
  readonly readFrom: 'old' | 'new'
  readonly shadow: boolean
  /** Reads whose answer was compared with that of the other store. */
  readonly compared: number
  readonly missingInOld: number
  readonly missingInNew: number
  readonly different: number
  /** Failures of the old store while the new one was read from. */
  readonly errorsInOld: number
  /** Failures of the new store while the old one was read from. */
  readonly errorsInNew: number
  /** Sessions that were logged out and may be in one of the stores still; this process goes on trying. */
  readonly pendingEnds: number
}
