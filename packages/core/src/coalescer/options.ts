import { HowdahError } from '../errors.js'

/** Options of {@link Coalescer}. */
export interface CoalescerOptions {
  /** Batches that run at the same time, each on a connection of its own. @defaultValue `3` */
  readonly lanes?: number | undefined
  /** Inputs in one batch, at most. @defaultValue `1000` */
  readonly maxItems?: number | undefined
  /** Bytes in one batch, at most, as the operations estimate them. A larger input goes alone. @defaultValue 1 MiB */
  readonly maxBytes?: number | undefined
  /** Calls without an answer, at most, those under way included. More are refused. @defaultValue `100_000` */
  readonly maxWaiting?: number | undefined
}

/** {@link CoalescerOptions} with every default filled in. */
export type ResolvedCoalescerOptions = Readonly<Record<keyof CoalescerOptions, number>>

/** What happens to a call whose key already waits for the same operation. */
export type DuplicateRule = 'share' | 'last' | 'queue'

/** One kind of call that a {@link Coalescer} batches. */
export interface OperationOptions<Input, Output> {
  /**
   * Names what the input works on. Calls with equal keys run in the order they were made, whichever operation they belong
   * to, so a package starts its keys with its own name: `cache:<namespace>:<key>`.
   */
  readonly key: (input: Input) => string
  /**
   * Runs the inputs as one statement, outside a transaction, and answers one output for each, in their order. Their keys
   * differ. It must have no effect when it fails with a SQLSTATE, for it may then run again with fewer inputs. What can fail
   * in this process (encoding a value) belongs before the call: an error without a SQLSTATE goes to the whole batch.
   */
  readonly run: (inputs: readonly Input[]) => Promise<readonly Output[]>
  /** Estimates what an input adds to the statement's size. @defaultValue the length of its key */
  readonly bytes?: ((input: Input) => number) | undefined
  /**
   * What happens to a call whose key already waits for this operation. `'share'` (reads) makes them one input, whose output
   * all callers get as the same object. `'last'` (overwrites) sends the newest input only, and all callers get its output; if
   * that input fails, the one before it is sent. `'queue'` sends each in a batch of its own.
   *
   * @defaultValue `'queue'`
   */
  readonly duplicates?: DuplicateRule | undefined
}

/** Makes the calls of one kind. */
export interface CoalescedOperation<Input, Output> {
  (input: Input): Promise<Output>
  /** Makes several calls, answered in their order; rejects with the first error, while the others go on. */
  many(inputs: readonly Input[]): Promise<Output[]>
}

/** @throws {@link HowdahError} CORE_INVALID_OPTION */
export function resolveCoalescerOptions(options: CoalescerOptions): ResolvedCoalescerOptions {
  const { lanes = 3, maxItems = 1000, maxBytes = 1024 * 1024, maxWaiting = 100_000 } = options
  const resolved = { lanes, maxItems, maxBytes, maxWaiting }
  for (const [name, value] of Object.entries(resolved)) {
    if (Number.isSafeInteger(value) && value > 0) continue
    throw new HowdahError('CORE_INVALID_OPTION', `${name} must be a positive whole number.`)
  }
  return Object.freeze(resolved)
}

/** @throws {@link HowdahError} CORE_INVALID_OPTION */
export function checkOperation(options: OperationOptions<never, unknown>): void {
  const { key, run, bytes, duplicates = 'queue' } = options
  if (typeof key !== 'function' || typeof run !== 'function') {
    throw new HowdahError('CORE_INVALID_OPTION', 'key and run of an operation must be functions.')
  }
  if (bytes !== undefined && typeof bytes !== 'function') {
    throw new HowdahError('CORE_INVALID_OPTION', 'bytes of an operation must be a function.')
  }
  if (!['share', 'last', 'queue'].includes(duplicates)) {
    throw new HowdahError('CORE_INVALID_OPTION', "duplicates must be 'share', 'last' or 'queue'.")
  }
}
