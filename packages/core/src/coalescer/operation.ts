import type { Call } from './call.js'
import type { DuplicateRule, OperationOptions, ResolvedCoalescerOptions } from './options.js'

/**
 * Calls not worth dividing further. A statement costs about as much as looking up ten keys, and waking the server for it
 * again as much (measured with 8 to 100: 32 was best at 64 callers, and at 512 none was better).
 */
const SMALLEST_SHARE = 32

/** One kind of call, and those of its calls that could be sent now. */
export class Operation {
  readonly key: (input: unknown) => string
  readonly run: (inputs: readonly unknown[]) => Promise<readonly unknown[]>
  readonly bytes: ((input: unknown) => number) | undefined
  readonly duplicates: DuplicateRule
  #ready: Call[] = []

  constructor(options: OperationOptions<unknown, unknown>) {
    this.key = options.key
    this.run = options.run
    this.bytes = options.bytes
    this.duplicates = options.duplicates ?? 'queue'
  }

  /** Adds a call whose key nobody holds. Answers whether it is the only one. */
  add(call: Call): boolean {
    return this.#ready.push(call) === 1
  }

  /** Tells whether calls are left for another batch. */
  get hasReady(): boolean {
    return this.#ready.length > 0
  }

  /** Takes the oldest calls: a share where several lanes are free, as many as one batch may hold, and at least one. */
  take({ maxItems, maxBytes }: ResolvedCoalescerOptions, lanes: number): Call[] {
    const ready = this.#ready
    const share = Math.max(SMALLEST_SHARE, Math.ceil(ready.length / Math.max(1, lanes)))
    const limit = Math.min(maxItems, share)
    let bytes = 0
    let count = 0
    for (const call of ready) {
      bytes += call.bytes
      if (count === limit || (bytes > maxBytes && count > 0)) break
      call.taken = true
      count++
    }
    if (count < ready.length) return ready.splice(0, count)
    this.#ready = []
    return ready
  }
}
