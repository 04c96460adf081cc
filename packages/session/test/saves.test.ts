import { Database } from '@howdah/core'
import type { Session, Sessions } from '@howdah/session'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Anything, Bench, loaded } from './support.js'

const bench = new Bench()
const waiting = () => bench.waiting()

test('two requests that change different keys both win, and of one key the later save', async () => {
  const a = bench.sessions()
  const { id } = await a.create({ cart: [1], theme: 'light', both: 0, gone: 1 })
  const first = await loaded(a, id)
  const second = await loaded(bench.elsewhere(), id)
  first.data['cart'].push(2)
  first.data['both'] = 1
  second.data['theme'] = 'dark'
  second.data['both'] = 2
  delete second.data['gone']
  expect(await a.save(first)).toBe(true)
  expect(await a.save(second)).toBe(true)
  expect((await loaded(a, id)).data).toEqual({ cart: [1, 2], theme: 'dark', both: 2 })
})

test('a session that was merged and is saved again does not undo what others changed', async () => {
  const a = bench.sessions()
  const { id } = await a.create({ mine: 0, theirs: 0 })
  const session = await loaded(a, id)
  const other = await loaded(a, id)
  other.data['theirs'] = 1
  other.data['new'] = true
  await a.save(other)
  for (const n of [1, 2, 3]) {
    session.data['mine'] = n
    expect(await a.save(session)).toBe(true)
  }
  expect((await loaded(a, id)).data).toEqual({ mine: 3, theirs: 1, new: true })
  expect(await a.save(session)).toBe(true)
  expect((await loaded(a, id)).data).toEqual({ mine: 3, theirs: 1, new: true })
})

test('a hundred saves at once, in two processes, of a key each: all count', async () => {
  const a = bench.sessions()
  const b = bench.elsewhere()
  const { id } = await a.create({})
  const open = await Promise.all(
    Array.from({ length: 100 }, (_, n) => loaded(n % 2 === 0 ? a : b, id)),
  )
  const saved = await Promise.all(
    open.map((session, n) => {
      session.data[`key${n}`] = n
      return (n % 2 === 0 ? a : b).save(session)
    }),
  )
  expect(new Set(saved)).toEqual(new Set([true]))
  const expected = Object.fromEntries(Array.from({ length: 100 }, (_, n) => [`key${n}`, n]))
  expect((await loaded(a, id)).data).toEqual(expected)
})

test('saving what was not changed is a touch', async () => {
  const a = bench.sessions()
  const { id } = await a.create({ n: 0 })
  const [before] = await bench.rows('select xmin, version from howdah.session')
  const session = await loaded(a, id)
  session.data = { n: 0 }
  expect(await a.save(session)).toBe(true)
  expect((await bench.rows('select xmin, version from howdah.session'))[0]).toEqual(before)
  await bench.age(12 * 60)
  expect(await a.save(await loaded(a, id))).toBe(true)
  const [after] = await bench.rows('select xmin, version from howdah.session')
  expect(after?.['version']).toBe(before?.['version'])
  expect(after?.['xmin']).not.toBe(before?.['xmin'])
})

test.each(['destroy', 'regenerate', 'revoke', 'revokeAll', 'clear'] as const)(
  'a save that was under way at %s() does not bring the session back',
  async (how) => {
    const a = bench.sessions()
    const b = bench.elsewhere()
    const session = await a.create({ userId: 1 }, { id: 'a' })
    const late = await loaded(b, 'a')
    if (how === 'destroy') await a.destroy('a')
    if (how === 'regenerate') await a.regenerate(session)
    if (how === 'revoke') expect(await a.revoke(session.ref)).toBe(true)
    if (how === 'revokeAll') expect(await a.revokeAll(1)).toBe(1)
    if (how === 'clear') await a.clear()
    late.data['late'] = true
    expect(await b.save(late)).toBe(false)
    expect(await b.touch('a')).toBe(false)
    expect(await a.load('a')).toBeUndefined()
    // Nor where somebody else has the id now.
    await a.create({ another: true }, { id: 'a' })
    late.data = { resurrected: true }
    expect(await b.save(late)).toBe(false)
    expect((await loaded(a, 'a')).data).toEqual({ another: true })
  },
)

test.each(['destroy', 'revokeAll'] as const)(
  'a save waits for a %s() that has not committed, and then gives way to it',
  async (how) => {
    const a = bench.sessions()
    const session = await a.create({ userId: 1 }, { id: 'a' })
    session.data['late'] = true
    let save: Promise<boolean> | undefined
    await Database.from(bench.pool).transaction(async (tx) => {
      if (how === 'destroy') await a.destroy('a', { client: tx })
      else await a.revokeAll(1, { client: tx })
      save = a.save(session)
      await expect.poll(waiting).toHaveLength(1)
    })
    expect(await save).toBe(false)
    expect(await a.load('a')).toBeUndefined()
  },
)

test.each(['destroy', 'revokeAll'] as const)(
  'a %s() waits for a save that has not committed, and ends what it saved',
  async (how) => {
    const a = bench.sessions()
    const session = await a.create({ userId: 1 }, { id: 'a' })
    session.data['early'] = true
    let end: Promise<unknown> | undefined
    await Database.from(bench.pool).transaction(async (tx) => {
      expect(await a.save(session, { client: tx })).toBe(true)
      end = how === 'destroy' ? a.destroy('a') : a.revokeAll(1)
      await expect.poll(waiting).toHaveLength(1)
    })
    expect(await end).toBe(how === 'destroy' ? true : 1)
    expect(await a.load('a')).toBeUndefined()
  },
)

/** What a model of sessions knows: their data by id. */
type Model = Map<string, Anything>
interface Real {
  readonly sessions: readonly Sessions<Anything>[]
  /** Sessions in hand, with the data they had when they were loaded or saved last. */
  readonly open: { id: string; session: Session<Anything>; base: Anything; incarnation: number }[]
  readonly incarnations: Map<string, number>
}

const key = fc.constantFrom('a', 'b', 'constructor', '__proto__', 'ключ')
const value = fc.jsonValue({ maxDepth: 1, stringUnit: 'binary' })
const id = fc.constantFrom('one', 'two', 'three')
const step = fc.oneof(
  fc.record({ do: fc.constant('create' as const), id, key, value }),
  fc.record({ do: fc.constant('load' as const), id, at: fc.nat(1) }),
  fc.record({ do: fc.constant('set' as const), open: fc.nat(9), key, value }),
  fc.record({ do: fc.constant('unset' as const), open: fc.nat(9), key }),
  fc.record({ do: fc.constant('save' as const), open: fc.nat(9), at: fc.nat(1) }),
  fc.record({ do: fc.constant('destroy' as const), id, at: fc.nat(1) }),
)

/** Objects by own keys only, so that a key called `__proto__` is one like the others. */
const entries = (data: object) =>
  new Map(Object.entries(data).map(([name, value]) => [name, JSON.stringify(value)]))
const put = (data: Anything, name: string, value: unknown) =>
  Object.defineProperty(data, name, { value, enumerable: true, configurable: true, writable: true })
const copy = (data: Anything): Anything => JSON.parse(JSON.stringify(data))

test('any history of two processes ends as a model says', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
      const sessions = [bench.sessions(), bench.elsewhere()]
      await sessions[0]?.clear()
      const model: Model = new Map()
      const real: Real = { sessions, open: [], incarnations: new Map() }
      for (const one of steps) await perform(one, model, real)
      for (const name of ['one', 'two', 'three']) {
        const found = await sessions[1]?.load(name)
        const expected = model.get(name)
        expect(found && entries(found.data)).toEqual(expected && entries(expected))
      }
    }),
    { numRuns: 60 },
  )
})

async function perform(
  one: typeof step extends fc.Arbitrary<infer S> ? S : never,
  model: Model,
  { sessions, open, incarnations }: Real,
): Promise<void> {
  if (one.do === 'create') {
    const data = put({}, one.key, one.value)
    const session = await sessions[0]?.create(data, { id: one.id })
    // What replaces a live session is a new state of it; what takes the place of none is another session.
    if (!model.has(one.id)) incarnations.set(one.id, (incarnations.get(one.id) ?? 0) + 1)
    model.set(one.id, copy(data))
    const incarnation = incarnations.get(one.id) ?? 0
    if (session) open.push({ id: one.id, session, base: copy(data), incarnation })
    return
  }
  if (one.do === 'load') {
    const session = await sessions[one.at]?.load(one.id)
    expect(session !== undefined).toBe(model.has(one.id))
    const incarnation = incarnations.get(one.id) ?? 0
    if (session) open.push({ id: one.id, session, base: copy(session.data), incarnation })
    return
  }
  if (one.do === 'destroy') {
    expect(await sessions[one.at]?.destroy(one.id)).toBe(model.delete(one.id))
    return
  }
  const held = open[one.open % Math.max(1, open.length)]
  if (held === undefined) return
  if (one.do === 'set') put(held.session.data, one.key, one.value)
  else if (one.do === 'unset') delete held.session.data[one.key]
  else {
    const changes = changed(held.base, held.session.data)
    const saved = await sessions[one.at]?.save(held.session)
    const current = model.get(held.id)
    const same = held.incarnation === incarnations.get(held.id)
    if (current === undefined || !same) {
      // A session without changes may be said to live while nothing was asked of the server.
      if (changes.size > 0) expect(saved).toBe(false)
      if (saved) held.base = copy(held.session.data)
      return
    }
    expect(saved).toBe(true)
    apply(current, changes)
    held.base = copy(held.session.data)
  }
}

function changed(base: Anything, now: Anything): Map<string, string | undefined> {
  const before = entries(base)
  const after = entries(now)
  const changes = new Map<string, string | undefined>()
  for (const [name, value] of after) if (before.get(name) !== value) changes.set(name, value)
  for (const name of before.keys()) if (!after.has(name)) changes.set(name, undefined)
  return changes
}

function apply(data: Anything, changes: Map<string, string | undefined>): void {
  for (const [name, value] of changes) {
    if (value === undefined) delete data[name]
    else put(data, name, JSON.parse(value))
  }
}
