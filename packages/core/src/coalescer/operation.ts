import type { Call } from './call.js'
import type { DuplicateRule, OperationOptions, ResolvedCoalescerOptions } from './options.js'

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

  /** Takes the oldest calls, as many as one batch may hold and at least one. */
  take({ maxItems, maxBytes }: ResolvedCoalescerOptions): Call[] {
    const ready = this.#ready
    let bytes = 0
    let count = 0
    for (const call of ready) {
      bytes += call.bytes
      if (count === maxItems || (bytes > maxBytes && count > 0)) break
      call.taken = true
      count++
    }
    if (count < ready.length) return ready.splice(0, count)
    this.#ready = []
    return ready
  }
}
