import { AsyncLocalStorage } from 'node:async_hooks'
import { setImmediate as turn } from 'node:timers/promises'
import { Coalescer, type CoalescerOptions, type DuplicateRule, HowdahError } from '@howdah/core'
import { expect, test } from 'vitest'

class SqlError extends Error {
  readonly code: string
  constructor(code: string) {
    super(`failed with ${code}`)
    this.code = code
  }
}

/** An operation whose batches the test sees, holds back and lets go. */
function held(options: CoalescerOptions, duplicates: DuplicateRule = 'queue') {
  const coalescer = new Coalescer(options)
  const batches: { inputs: readonly string[]; settle(error?: unknown): void }[] = []
  const call = coalescer.operation<string, string>({
    key: (input) => input.split('=')[0] as string,
    bytes: (input) => input.length,
    duplicates,
    run: (inputs) =>
      new Promise((resolve, reject) => {
        batches.push({
          inputs,
          settle: (error) =>
            error === undefined ? resolve(inputs.map((input) => `<${input}>`)) : reject(error),
        })
      }),
  })
  const sent = () => batches.map((batch) => batch.inputs)
  return { coalescer, call, batches, sent }
}

test('operation() sends the calls of one turn of the event loop as one batch', async () => {
  const { call, batches, sent } = held({})
  const answers = Promise.all([call('a'), Promise.resolve().then(() => call('b')), call('c')])
  expect(sent()).toEqual([])
  await turn()
  expect(sent()).toEqual([['a', 'c', 'b']])
  batches[0]?.settle()
  expect(await answers).toEqual(['<a>', '<b>', '<c>'])
})

test('operation() gathers calls while every lane is busy and holds the limits', async () => {
  const { call, batches, sent } = held({ lanes: 2, maxItems: 3, maxBytes: 8 })
  const first = [call('a')]
  await turn()
  first.push(call('b'))
  await turn()
  for (const input of ['c', 'd', 'e', 'f', 'g=123', 'h=1', 'i=12345678901']) {
    first.push(call(input))
    await turn()
  }
  expect(sent()).toEqual([['a'], ['b']])
  for (let at = 0; at < 6; at++) {
    await expect.poll(() => batches.length).toBeGreaterThan(at)
    batches[at]?.settle()
  }
  await Promise.all(first)
  expect(sent().slice(2)).toEqual([['c', 'd', 'e'], ['f', 'g=123'], ['h=1'], ['i=12345678901']])
})

test("duplicates 'share' sends equal keys once, and never joins what was already sent", async () => {
  const { call, batches, sent } = held({}, 'share')
  const early = [call('a'), call('a')]
  await turn()
  const late = [call('a'), call('a'), call('b')]
  await turn()
  expect(sent()).toEqual([['a'], ['b']])
  batches[0]?.settle()
  expect(await Promise.all(early)).toEqual(['<a>', '<a>'])
  await turn()
  expect(sent()).toEqual([['a'], ['b'], ['a']])
  batches[1]?.settle()
  batches[2]?.settle()
  expect(await Promise.all(late)).toEqual(['<a>', '<a>', '<b>'])
})

test("duplicates 'last' sends the newest input, and the one before it when that fails", async () => {
  const { call, batches, sent } = held({}, 'last')
  const answers = Promise.allSettled([call('a=1'), call('a=2'), call('a=3'), call('b=1')])
  await turn()
  expect(sent()).toEqual([['a=3', 'b=1']])
  batches[0]?.settle(new SqlError('22P05'))
  await expect.poll(() => sent().slice(1)).toEqual([['a=3'], ['b=1']])
  batches[1]?.settle(new SqlError('22P05'))
  batches[2]?.settle()
  await expect.poll(() => sent().slice(3)).toEqual([['a=2']])
  batches[3]?.settle()
  expect(await answers).toMatchObject([
    { value: '<a=2>' },
    { value: '<a=2>' },
    { reason: { code: '22P05' } },
    { value: '<b=1>' },
  ])
})

test('operation() divides what waits between the free lanes, down to shares of 32', async () => {
  const { call, batches } = held({ lanes: 3 })
  const sizes = () => batches.map((batch) => batch.inputs.length)
  const ask = (count: number) => Array.from({ length: count }, (_, n) => call(`${count}:${n}`))
  const answers = ask(110)
  await turn()
  expect(sizes()).toEqual([37, 37, 36])
  for (const batch of batches) batch.settle()
  await Promise.all(answers)
  const more = ask(40)
  await turn()
  expect(sizes().slice(3)).toEqual([32, 8])
  for (const batch of batches) batch.settle()
  await Promise.all(more)
})

test('many() answers in the order of its inputs, and fails with the first error while the others go on', async () => {
  const coalescer = new Coalescer()
  const done: number[] = []
  const half = coalescer.operation<number, number>({
    key: (input) => String(input),
    async run(inputs) {
      if (inputs.includes(13)) throw Object.assign(new Error('unlucky'), { code: '23514' })
      done.push(...inputs)
      return inputs.map((input) => input / 2)
    },
  })
  expect(await half.many([4, 2, 8, 2])).toEqual([2, 1, 4, 1])
  expect(await half.many([])).toEqual([])
  done.length = 0
  await expect(half.many([1, 13, 3])).rejects.toThrow('unlucky')
  await coalescer.drain()
  expect(done.sort()).toEqual([1, 3])
})

test('operation() leaves a free lane to every other operation before it divides', async () => {
  const coalescer = new Coalescer({ lanes: 3 })
  const sent: string[] = []
  const [a, b] = ['a', 'b'].map((name) =>
    coalescer.operation<number, void>({
      key: (input) => `${name}:${input}`,
      async run(inputs) {
        sent.push(`${name} ${inputs.length}`)
        return new Array<undefined>(inputs.length)
      },
    }),
  ) as unknown as [(input: number) => Promise<void>, (input: number) => Promise<void>]
  const calls = Array.from({ length: 80 }, (_, n) => a(n))
  await Promise.all([...calls, b(1)])
  expect(sent).toEqual(['a 40', 'b 1', 'a 40'])
})

test("duplicates 'queue' sends each call of a key in a batch of its own, in order", async () => {
  const { call, batches, sent } = held({ lanes: 4 })
  const answers = Promise.all([call('a=1'), call('a=2'), call('a=3')])
  for (let at = 0; at < 3; at++) {
    await expect.poll(() => batches.length).toBe(at + 1)
    await turn()
    expect(batches.length).toBe(at + 1)
    batches[at]?.settle()
  }
  await answers
  expect(sent()).toEqual([['a=1'], ['a=2'], ['a=3']])
})

test('operation() refuses calls beyond maxWaiting and goes on once others are answered', async () => {
  const { call, batches, coalescer } = held({ maxWaiting: 3 }, 'share')
  const accepted = [call('a'), call('a'), call('b')]
  await expect(call('c')).rejects.toMatchObject({ code: 'CORE_OVERLOADED' })
  expect(coalescer.waiting).toBe(3)
  await turn()
  await expect(call('a')).rejects.toMatchObject({ code: 'CORE_OVERLOADED' })
  batches[0]?.settle()
  await Promise.all(accepted)
  expect(coalescer.waiting).toBe(0)
  const next = call('c')
  await turn()
  batches[1]?.settle()
  expect(await next).toBe('<c>')
})

for (const [what, error] of [
  ['without a SQLSTATE', new Error('Connection terminated unexpectedly')],
  ['of the socket', Object.assign(new Error('write EPIPE'), { code: 'EPIPE' })],
  ['of the connection', new SqlError('08006')],
  ['of a shutdown', new SqlError('57P01')],
  ['that leaves the outcome unknown', new SqlError('40003')],
  ['of a statement timeout', new SqlError('57014')],
] as const) {
  test(`an error ${what} goes to every caller of its batch, and nothing is sent again`, async () => {
    const { call, batches, sent } = held({}, 'share')
    const answers = Promise.allSettled([call('a'), call('b'), call('b')])
    await turn()
    batches[0]?.settle(error)
    const reasons = (await answers).map((answer) => (answer as PromiseRejectedResult).reason)
    expect(reasons.map(({ message }) => message)).toEqual(Array(3).fill(error.message))
    expect(reasons.every((reason) => reason instanceof error.constructor)).toBe(true)
    expect(reasons.map(({ code }) => code)).toEqual(
      Array(3).fill((error as { code?: string }).code),
    )
    expect(reasons.map(({ stack }) => stack)).toEqual(Array(3).fill(error.stack))
    expect(new Set(reasons).size).toBe(3)
    await turn()
    expect(sent()).toEqual([['a', 'b']])
  })
}

test('a copied error stays a HowdahError with its code and cause', async () => {
  const { call, batches } = held({})
  const cause = new Error('why')
  const answers = Promise.allSettled([call('a'), call('b')])
  await turn()
  batches[0]?.settle(new HowdahError('CORE_CLOSED', 'no', { cause }))
  for (const answer of await answers) {
    const { reason } = answer as PromiseRejectedResult
    expect(reason).toBeInstanceOf(HowdahError)
    expect(reason).toMatchObject({ code: 'CORE_CLOSED', cause, message: 'no', name: 'HowdahError' })
  }
})

test('run() that answers the wrong number of outputs fails its batch with CORE_BATCH_MISMATCH', async () => {
  for (const outputs of [[], [1], [1, 2, 3], undefined, 'ab']) {
    const coalescer = new Coalescer()
    const call = coalescer.operation<string, unknown>({
      key: (input) => input,
      run: async () => outputs as unknown[],
    })
    const answers = await Promise.allSettled([call('a'), call('b')])
    expect(answers).toMatchObject(
      Array(2).fill({ status: 'rejected', reason: { code: 'CORE_BATCH_MISMATCH' } }),
    )
  }
})

test('what key(), bytes() or run() throws rejects the call, and others go on', async () => {
  const coalescer = new Coalescer()
  const call = coalescer.operation<string, string>({
    key(input) {
      if (input === 'key') throw new Error('key')
      return input
    },
    bytes(input) {
      if (input === 'bytes') throw new Error('bytes')
      return input === 'nan' ? Number.NaN : 1
    },
    run(inputs) {
      if (inputs[0] === 'run') throw new Error('run')
      return Promise.resolve(inputs)
    },
  })
  await expect(call('key')).rejects.toThrow('key')
  await expect(call('bytes')).rejects.toThrow('bytes')
  await expect(call('nan')).rejects.toMatchObject({ code: 'CORE_INVALID_OPTION' })
  await expect(call('run')).rejects.toThrow('run')
  expect(await Promise.all([call('__proto__'), call('constructor'), call('')])).toEqual([
    '__proto__',
    'constructor',
    '',
  ])
  expect(coalescer.waiting).toBe(0)
})

test('a busy operation does not hold up another, nor does a batch full of bad values', async () => {
  const coalescer = new Coalescer({ lanes: 1, maxItems: 4 })
  const order: string[] = []
  const operation = (name: string, fails: boolean) =>
    coalescer.operation<number, number>({
      key: (input) => `${name}:${input}`,
      async run(inputs) {
        order.push(name)
        await turn()
        if (fails) throw new SqlError('23505')
        return inputs
      },
    })
  const [busy, failing, quiet] = [
    operation('busy', false),
    operation('failing', true),
    operation('quiet', false),
  ]
  const all = [
    ...Array.from({ length: 40 }, (_, n) => busy(n)),
    ...Array.from({ length: 40 }, (_, n) => failing(n)),
  ]
  const settled = Promise.allSettled(all)
  await quiet(1)
  // One turn each of the two before it.
  expect(order).toEqual(['busy', 'failing', 'quiet'])
  await settled
  expect(order.filter((name) => name === 'failing').length).toBe(10 * 7)
})

test('run() sees no caller’s AsyncLocalStorage, and each caller keeps its own', async () => {
  const storage = new AsyncLocalStorage<number>()
  const seen: unknown[] = []
  const coalescer = new Coalescer({ lanes: 1, maxItems: 1 })
  const call = coalescer.operation<number, number>({
    key: String,
    async run(inputs) {
      seen.push(storage.getStore())
      await turn()
      seen.push(storage.getStore())
      return inputs
    },
  })
  const kept = await Promise.all(
    [1, 2, 3].map((n) => storage.run(n, async () => [await call(n), storage.getStore()])),
  )
  expect(kept).toEqual([
    [1, 1],
    [2, 2],
    [3, 3],
  ])
  expect(seen).toEqual(Array(6).fill(undefined))
})

test('close() refuses further calls and waits for the answers of those accepted', async () => {
  const { call, batches, coalescer } = held({})
  const pending = call('a')
  let closed = false
  const closing = coalescer.close().then(() => {
    closed = true
  })
  await expect(call('b')).rejects.toMatchObject({ code: 'CORE_CLOSED' })
  await turn()
  expect(closed).toBe(false)
  batches[0]?.settle()
  expect(await pending).toBe('<a>')
  await closing
  await coalescer.drain()
})

test('bad options are refused', () => {
  for (const bad of [0, -1, 1.5, Number.NaN, '2']) {
    for (const name of ['lanes', 'maxItems', 'maxBytes', 'maxWaiting']) {
      expect(() => new Coalescer({ [name]: bad })).toThrow(`${name} must be`)
    }
  }
  const coalescer = new Coalescer()
  const run = async () => []
  expect(() => coalescer.operation({ run } as never)).toThrow('key and run')
  expect(() => coalescer.operation({ key: String, run, bytes: 1 } as never)).toThrow('bytes')
  expect(() => coalescer.operation({ key: String, run, duplicates: 'x' } as never)).toThrow(
    "'share'",
  )
})
