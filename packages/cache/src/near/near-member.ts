/** A near cache as its link sees it. */
export interface NearMember {
  readonly namespace: string
  /** Which table the namespace is in, should it have to be made. */
  readonly logged: boolean
  /** Milliseconds that a read may lie behind. */
  readonly maxStale: number
  /** How often it was asked for a key. */
  readonly lookups: number
  /** Forgets keys, and whatever of them is being read. */
  forget(keys: readonly string[]): void
  /** Forgets everything, and whatever is being read. */
  flush(): void
  /** From now on it hears of every change to its namespace. */
  open(): void
  /** It no longer does: forgets everything and takes nothing in. */
  shut(): void
  /** Something failed in the background, which will be tried again. */
  report(error: unknown): void
}
