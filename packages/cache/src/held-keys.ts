import { sqlState } from '@howdah/core'

/** What a statement answers for one call: a promise where that call had to go alone. */
export type Answer<Output> = Output | Promise<Output>

const LOCK_NOT_AVAILABLE = '55P03'

/**
 * Keys whose row a transaction of someone's holds.
 *
 * A statement that meets one gives up after a tenth of a second, and each of its keys goes alone. Those that still have to wait hold up
 * nobody else: further writes of such a key queue up behind the first, on its one connection, in the order they were made.
 */
export class HeldKeys {
  /** The end of the last write that goes alone, for each key that has one. */
  readonly #ends = new Map<string, Promise<void>>()

  /** Runs a write of several keys: together as long as nobody holds one of them. */
  async write<Input extends { readonly key: string }, Output>(
    inputs: readonly Input[],
    together: (inputs: readonly Input[]) => Promise<readonly Output[]>,
    alone: (input: Input) => Promise<Output>,
  ): Promise<Answer<Output>[]> {
    const answers: Answer<Output>[] = new Array(inputs.length)
    const free: number[] = []
    for (const [at, input] of inputs.entries()) {
      if (this.#ends.has(input.key)) answers[at] = this.#follow(input.key, () => alone(input))
      else free.push(at)
    }
    const some = free.length === inputs.length ? inputs : free.map((at) => inputs[at] as Input)
    if (some.length === 0) return answers
    try {
      const outputs = await together(some)
      for (const [n, at] of free.entries()) answers[at] = outputs[n] as Output
    } catch (error) {
      const held = some.length < inputs.length
      // Nothing was written. Whoever sent the batch may send it again, but not with what goes alone already.
      if (!held && sqlState(error) !== LOCK_NOT_AVAILABLE) throw error
      for (const [n, at] of free.entries()) {
        const input = some[n] as Input
        answers[at] =
          sqlState(error) === undefined
            ? Promise.reject(error)
            : this.#follow(input.key, () => alone(input))
      }
    }
    return answers
  }

  #follow<Output>(key: string, run: () => Promise<Output>): Promise<Output> {
    const answer = (this.#ends.get(key) ?? Promise.resolve()).then(run)
    const end: Promise<void> = answer.then(nothing, nothing).then(() => {
      if (this.#ends.get(key) === end) this.#ends.delete(key)
    })
    this.#ends.set(key, end)
    return answer
  }
}

function nothing(): void {}
