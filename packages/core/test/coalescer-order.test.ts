import { setImmediate as turn } from 'node:timers/promises'
import { Coalescer } from '@howdah/core'
import fc from 'fast-check'
import { expect, test } from 'vitest'

interface Step {
  readonly kind: 'get' | 'set' | 'append'
  readonly key: string
  readonly bad: boolean
  /** Turns of the event loop that pass before the next step. */
  readonly pause: number
}

interface Write {
  readonly key: string
  readonly text: string
  readonly bad: boolean
}

const LIMITS = { lanes: 2, maxItems: 4, maxBytes: 30 }

/** A store whose statements take a random time, fail as a whole and watch the coalescer's invariants. */
class Store {
  readonly values = new Map<string, string>()
  readonly #busy = new Set<string>()
  readonly #delay: () => number
  #running = 0

  constructor(delay: () => number) {
    this.#delay = delay
  }

  async statement<Input extends { key: string }, Output>(
    inputs: readonly Input[],
    apply: (input: Input) => Output,
    bad: (input: Input) => boolean,
  ): Promise<Output[]> {
    expect(++this.#running).toBeLessThanOrEqual(LIMITS.lanes)
    expect(inputs.length).toBeLessThanOrEqual(LIMITS.maxItems)
    for (const { key } of inputs) {
      expect(this.#busy.has(key), `${key} runs in one lane only`).toBe(false)
      this.#busy.add(key)
    }
    for (let turns = this.#delay(); turns > 0; turns--) await turn()
    this.#running--
    for (const { key } of inputs) this.#busy.delete(key)
    if (inputs.some(bad)) throw Object.assign(new Error('bad value'), { code: '22000' })
    return inputs.map(apply)
  }
}

function operations(store: Store) {
  const coalescer = new Coalescer(LIMITS)
  const bad = (write: Write) => write.bad
  const key = ({ key }: { key: string }) => key
  const get = coalescer.operation<{ key: string }, string>({
    key,
    duplicates: 'share',
    run: (inputs) =>
      store.statement(
        inputs,
        ({ key }) => store.values.get(key) ?? '',
        () => false,
      ),
  })
  const write = (duplicates: 'last' | 'queue', value: (write: Write) => string) =>
    coalescer.operation<Write, string>({
      key,
      duplicates,
      bytes: () => 10,
      run: (inputs) =>
        store.statement(
          inputs,
          (input) => {
            const next = value(input)
            store.values.set(input.key, next)
            return next
          },
          bad,
        ),
    })
  return {
    coalescer,
    get,
    set: write('last', ({ text }) => text),
    append: write('queue', ({ key, text }) => (store.values.get(key) ?? '') + text),
  }
}

const step = fc.record({
  kind: fc.constantFrom('get' as const, 'set' as const, 'append' as const),
  key: fc.constantFrom('a', 'b', 'c', 'd', 'e', '__proto__'),
  bad: fc.boolean(),
  pause: fc.nat(2),
})

test('calls with one key take effect in the order they were made, whatever fails and however they interleave', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 60 }),
      fc.infiniteStream(fc.nat(4)),
      async (steps: Step[], delays) => {
        const store = new Store(() => delays.next().value ?? 0)
        const { coalescer, ...call } = operations(store)
        const model = new Map<string, string>()
        const checks: Promise<void>[] = []
        for (const [at, { kind, key, bad, pause }] of steps.entries()) {
          const before = model.get(key) ?? ''
          const text = `${at};`
          if (kind === 'get') {
            checks.push(call.get({ key }).then((value) => expect(value).toBe(before)))
          } else if (kind === 'append') {
            if (!bad) model.set(key, before + text)
            const answer = call.append({ key, text, bad })
            checks.push(
              bad
                ? expect(answer).rejects.toThrow('bad value')
                : expect(answer)
                    .resolves.toBe(before + text)
                    .then(() => {}),
            )
          } else {
            if (!bad) model.set(key, text)
            // A bad value that a later one replaced before it was sent does no harm, so it may pass.
            const answer = call.set({ key, text, bad })
            checks.push(
              answer.then(
                () => {},
                (error) => expect(bad ? error.code : error).toBe('22000'),
              ),
            )
          }
          for (let turns = pause; turns > 0; turns--) await turn()
        }
        await Promise.all(checks)
        expect(store.values).toEqual(model)
        expect(coalescer.waiting).toBe(0)
      },
    ),
    { numRuns: 300 },
  )
})

test('10,000 concurrent calls with random bad values: each caller gets its own answer or its own error', async () => {
  let running = 0
  let most = 0
  let largest = 0
  const coalescer = new Coalescer({ lanes: 3, maxItems: 100 })
  const double = coalescer.operation<{ key: string; n: number; bad: boolean }, number>({
    key: ({ key }) => key,
    async run(inputs) {
      most = Math.max(most, ++running)
      largest = Math.max(largest, inputs.length)
      await turn()
      running--
      const bad = inputs.filter((input) => input.bad)
      if (bad.length > 0) throw Object.assign(new Error(`bad ${bad[0]?.n}`), { code: '23505' })
      return inputs.map(({ n }) => 2 * n)
    },
  })
  const inputs = Array.from({ length: 10_000 }, (_, n) => ({
    key: `key ${n % 7919}`,
    n,
    bad: Math.random() < 0.05,
  }))
  const answers = await Promise.allSettled(inputs.map(double))
  for (const [n, answer] of answers.entries()) {
    const ok = inputs[n]?.bad ? { reason: new Error(`bad ${n}`) } : { value: 2 * n }
    expect(answer).toMatchObject(ok)
  }
  expect(most).toBe(3)
  expect(largest).toBe(100)
  expect(coalescer.waiting).toBe(0)
})
