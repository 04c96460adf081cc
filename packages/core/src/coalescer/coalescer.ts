/**
 * Turns concurrent calls of one operation into one statement.
 *
 * States of a call: blocked (an earlier call with its key is not settled) -> ready (in its operation's queue) -> taken (in
 * a batch that waits for a lane or runs) -> settled. A call that joins another one shares its states.
 * States of a batch: running -> settled, or split into halves that each wait for their turn.
 *
 * Invariants
 * - At most `lanes` batches run, each with at most `maxItems` inputs and `maxBytes` bytes (one larger input goes alone), and at
 *   most `maxWaiting` calls are unsettled. Nothing else grows.
 * - Of one key at most one call is ready or taken. So no two lanes work on one key, a batch never holds a key twice, and calls
 *   with one key take effect in the order they were made, across all operations.
 * - A call joins only one that is not taken. So a read never answers with what was true before it was asked.
 * - `#tails` maps exactly the keys with an unsettled call, to the last one of each.
 * - An operation with ready calls stands in `#turns` once; halves of a failed batch stand there once each. Turns are
 *   served in order, one batch each, so neither a busy operation nor a failing batch starves another.
 * - Whenever a turn is due and a lane is free, a flush is scheduled. There is no timer: while all lanes are busy calls gather
 *   by themselves, so batches grow with the load, and an idle coalescer sends within the same turn of the event loop.
 * - What waits is divided between the free lanes, down to shares not worth a statement. Callers answered together ask again
 *   together: sent as one batch they would stay one for ever, with every other lane idle.
 * - Every call is settled once, by its own batch: an error that can be one input's is narrowed down by halving; one that is
 *   not, or that leaves open whether the statement was applied, goes to all callers of the batch and nothing is sent again.
 */
import { AsyncResource } from 'node:async_hooks'
import { HowdahError } from '../errors.js'
import { Call } from './call.js'
import { canNarrowDown, copyError } from './failure.js'
import { Operation } from './operation.js'
import {
  type CoalescedOperation,
  type CoalescerOptions,
  checkOperation,
  type OperationOptions,
  type ResolvedCoalescerOptions,
  resolveCoalescerOptions,
} from './options.js'

/** A batch carries calls of many requests, so it runs in the context of none (AsyncLocalStorage, spans). */
const outside = new AsyncResource('howdah.Coalescer')

/**
 * Batches concurrent calls: those made while an earlier batch is under way, or in the same turn of the event loop, become one
 * statement. Calls with equal keys take effect in the order they were made; one that fails does so alone.
 *
 * @see https://github.com/graphql/dataloader for collecting the calls of one turn
 * @see RFC 896 (Nagle, 1984) for sending whenever nothing is under way and gathering meanwhile
 * @see DeWitt et al., "Implementation Techniques for Main Memory Database Systems" (1984), for group commit
 *
 * @example
 * ```ts
 * import { Coalescer, Database, defineStatement } from '@howdah/core'
 * import { Pool } from 'pg'
 *
 * const selectNames = defineStatement<[ids: readonly string[]], { id: string; name: string }>(
 *   'example.names',
 *   () => 'select id, name from app_user where id = any($1::text[])',
 *   (ids) => [ids],
 * )
 * const db = Database.from(new Pool())
 * const nameOf = db.coalescer.operation<string, string | undefined>({
 *   key: (id) => `user:${id}`,
 *   duplicates: 'share',
 *   async run(ids) {
 *     const rows = await db.query(selectNames(db.schema, ids))
 *     const names = new Map(rows.map((row) => [row.id, row.name]))
 *     return ids.map((id) => names.get(id))
 *   },
 * })
 * await Promise.all([nameOf('1'), nameOf('2')]) // one statement
 * ```
 */
export class Coalescer {
  readonly #options: ResolvedCoalescerOptions
  readonly #tails = new Map<string, Call>()
  readonly #turns: (Operation | Call[])[] = []
  #unsettled = 0
  #running = 0
  #scheduled = false
  #closed = false
  #idle: { readonly promise: Promise<void>; readonly resolve: () => void } | undefined

  /** @throws {@link HowdahError} CORE_INVALID_OPTION */
  constructor(options: CoalescerOptions = {}) {
    this.#options = resolveCoalescerOptions(options)
  }

  /** Calls that have no answer yet. */
  get waiting(): number {
    return this.#unsettled
  }

  /**
   * Adds a kind of call and answers the function that makes one. It rejects with CORE_OVERLOADED when too many calls wait, with
   * CORE_CLOSED after {@link Coalescer.close}, with CORE_BATCH_MISMATCH when `run` answered another number of outputs, and
   * with the error of `run`.
   *
   * @throws {@link HowdahError} CORE_INVALID_OPTION
   */
  operation<Input, Output>(
    options: OperationOptions<Input, Output>,
  ): CoalescedOperation<Input, Output> {
    checkOperation(options)
    const operation = new Operation(options as OperationOptions<unknown, unknown>)
    const one = (input: Input): Promise<Output> =>
      new Promise((resolve, reject) => {
        // What throws in here, such as `key`, rejects the promise.
        this.#accept(operation, input, resolve as (output: unknown) => void, reject)
      })
    const many = (inputs: readonly Input[]): Promise<Output[]> =>
      this.#acceptMany(operation, inputs) as Promise<Output[]>
    return Object.assign(one, { many })
  }

  /** Waits until no call is left without an answer, those made meanwhile included. */
  drain(): Promise<void> {
    if (this.#unsettled === 0) return Promise.resolve()
    if (this.#idle === undefined) {
      let resolve = () => {}
      const promise = new Promise<void>((done) => {
        resolve = done
      })
      this.#idle = { promise, resolve }
    }
    return this.#idle.promise
  }

  /** Refuses further calls and waits for the answers of those accepted. */
  close(): Promise<void> {
    this.#closed = true
    return this.drain()
  }

  /** Closes at the end of an `await using` block. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #accept(
    operation: Operation,
    input: unknown,
    resolve: (output: unknown) => void,
    reject: (error: unknown) => void,
  ): void {
    if (this.#closed || this.#unsettled >= this.#options.maxWaiting) throw this.#refusal()
    const key = operation.key(input)
    const bytes = operation.bytes === undefined ? key.length : operation.bytes(input)
    if (!(bytes >= 0)) throw invalidBytes()
    const tail = this.#tails.get(key)
    this.#unsettled++
    if (tail !== undefined && mayJoin(tail, operation)) {
      tail.joined ??= []
      tail.joined.push({ input, resolve, reject })
      if (operation.duplicates === 'last') tail.bytes = bytes
      return
    }
    const call = new Call(operation, key, bytes, input, resolve, reject)
    this.#tails.set(key, call)
    if (tail === undefined) this.#makeReady(call)
    else tail.following = call
  }

  /** One promise for all of them: a promise for each costs more than the call itself. */
  #acceptMany(operation: Operation, inputs: readonly unknown[]): Promise<unknown[]> {
    return new Promise((resolve, reject) => {
      const outputs = new Array<unknown>(inputs.length)
      let left = inputs.length
      const settle = (at: number, output: unknown) => {
        outputs[at] = output
        if (--left === 0) resolve(outputs)
      }
      if (left === 0) resolve(outputs)
      for (const [at, input] of inputs.entries()) {
        const answer = (output: unknown) => {
          if (output instanceof Promise) output.then((value) => settle(at, value), reject)
          else settle(at, output)
        }
        this.#accept(operation, input, answer, reject)
      }
    })
  }

  #refusal(): HowdahError {
    if (this.#closed) {
      return new HowdahError('CORE_CLOSED', 'This database handle is closed. Make another one.')
    }
    return new HowdahError(
      'CORE_OVERLOADED',
      `${this.#unsettled} calls already wait for the database. Make fewer at a time, or raise maxWaiting.`,
    )
  }

  #makeReady(call: Call): void {
    if (call.operation.add(call)) this.#turns.push(call.operation)
    this.#schedule()
  }

  #schedule(): void {
    if (this.#scheduled || this.#turns.length === 0) return
    if (this.#running >= this.#options.lanes) return
    this.#scheduled = true
    // Callers that were just answered ask again in microtasks; an immediate comes after all of them.
    setImmediate(this.#flush)
  }

  readonly #flush = (): void => outside.runInAsyncScope(this.#startBatches, this)

  /** Starts a batch in every free lane. */
  #startBatches(): void {
    this.#scheduled = false
    while (this.#running < this.#options.lanes) {
      const turn = this.#turns.shift()
      if (turn === undefined) return
      // Each of the other turns gets a lane; the rest of the free ones are for this turn's operation.
      const lanes = this.#options.lanes - this.#running - this.#turns.length
      this.#running++
      void this.#run(turn instanceof Operation ? this.#takeFrom(turn, lanes) : turn)
    }
  }

  #takeFrom(operation: Operation, lanes: number): Call[] {
    const batch = operation.take(this.#options, lanes)
    if (operation.hasReady) this.#turns.push(operation)
    return batch
  }

  /** Never rejects. */
  async #run(batch: Call[]): Promise<void> {
    try {
      const outputs = await runBatch(batch)
      for (let at = 0; at < batch.length; at++) this.#succeed(batch[at] as Call, outputs[at])
    } catch (error) {
      this.#fail(batch, error)
    } finally {
      this.#running--
      this.#schedule()
    }
  }

  #succeed(call: Call, output: unknown): void {
    call.resolve(output)
    if (call.joined !== undefined) for (const caller of call.joined) caller.resolve(output)
    this.#settled(call)
  }

  #fail(batch: Call[], error: unknown): void {
    const narrow = canNarrowDown(error)
    const first = batch[0] as Call
    if (narrow && batch.length > 1) {
      const middle = batch.length >> 1
      this.#turns.push(batch.slice(0, middle), batch.slice(middle))
    } else if (narrow && first.operation.duplicates === 'last' && first.joined?.length) {
      // The newest value is bad; those it stood in for may be good.
      first.joined.pop()?.reject(error)
      this.#unsettled--
      this.#turns.push(batch)
    } else {
      let given = false
      for (const call of batch) {
        for (const caller of [call, ...(call.joined ?? [])]) {
          caller.reject(given ? copyError(error) : error)
          given = true
        }
        this.#settled(call)
      }
    }
  }

  #settled(call: Call): void {
    this.#unsettled -= call.callers
    if (call.following !== undefined) this.#makeReady(call.following)
    else this.#tails.delete(call.key)
    if (this.#unsettled > 0 || this.#idle === undefined) return
    this.#idle.resolve()
    this.#idle = undefined
  }
}

function mayJoin(tail: Call, operation: Operation): boolean {
  return !tail.taken && tail.operation === operation && operation.duplicates !== 'queue'
}

async function runBatch(batch: Call[]): Promise<readonly unknown[]> {
  const { operation } = batch[0] as Call
  const inputs = batch.map((call) => call.effective)
  const outputs = await operation.run(inputs)
  if (Array.isArray(outputs) && outputs.length === batch.length) return outputs
  const count = Array.isArray(outputs) ? outputs.length : 'no list of'
  throw new HowdahError(
    'CORE_BATCH_MISMATCH',
    `An operation answered ${count} outputs for ${batch.length} inputs. Its run() must answer one output for each input, in order.`,
  )
}

function invalidBytes(): HowdahError {
  return new HowdahError('CORE_INVALID_OPTION', 'bytes of an operation must answer a number >= 0.')
}
