import type { Operation } from './operation.js'

/** One promise that waits for an answer. */
export interface Caller {
  readonly input: unknown
  readonly resolve: (output: unknown) => void
  readonly reject: (error: unknown) => void
}

/** One input to send, and everyone who waits for its output. The only object a call without a duplicate allocates. */
export class Call implements Caller {
  readonly operation: Operation
  readonly key: string
  readonly input: unknown
  readonly resolve: (output: unknown) => void
  readonly reject: (error: unknown) => void
  /** What the input to send adds to its batch. */
  bytes: number
  /** In a batch, or was: too late to join. */
  taken = false
  /** Callers that joined, in the order they did. */
  joined: Caller[] | undefined
  /** The next call with this key, which waits until this one is settled. */
  following: Call | undefined

  constructor(
    operation: Operation,
    key: string,
    bytes: number,
    input: unknown,
    resolve: (output: unknown) => void,
    reject: (error: unknown) => void,
  ) {
    this.operation = operation
    this.key = key
    this.bytes = bytes
    this.input = input
    this.resolve = resolve
    this.reject = reject
  }

  /** The input to send: the newest where newer ones replace older ones, else the first. */
  get effective(): unknown {
    const { joined } = this
    if (joined === undefined || this.operation.duplicates !== 'last') return this.input
    return (joined.at(-1) ?? this).input
  }

  /** How many callers wait. */
  get callers(): number {
    return 1 + (this.joined?.length ?? 0)
  }
}
