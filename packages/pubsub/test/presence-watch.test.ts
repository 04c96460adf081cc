import fc from 'fast-check'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { type PresenceChange, Watch } from '../src/presence/watch.js'
import type { PresenceRow } from '../src/sql/presence-list.js'
import { Audience } from './presence-support.js'

let clock = 0

beforeEach(() => {
  vi.spyOn(performance, 'now').mockImplementation(() => clock)
})
afterEach(() => {
  vi.restoreAllMocks()
})

/** A table, the messages on their way from it, and looks at it that take as long as they are let. */
class World {
  readonly table = new Map<string, PresenceRow>()
  readonly messages: PresenceChange[] = []
  readonly audience = new Audience()
  readonly watch: Watch
  readonly looks: Promise<void>[] = []
  #answers: { resolve(rows: PresenceRow[]): void; rows: PresenceRow[] | undefined }[] = []
  #version = 0
  readonly #ended = new Map<string, number>()

  constructor() {
    const list = () =>
      new Promise<PresenceRow[]>((resolve) => this.#answers.push({ resolve, rows: undefined }))
    this.watch = new Watch(
      list,
      (call) => call(),
      () => {},
    )
    this.watch.add(this.audience)
  }

  /** Joins, or says something new. A membership that has ended does not come back: the next has another token. */
  write(name: string, hub: string, small = true): void {
    const token = `${name}.${this.#ended.get(name) ?? 0}`
    const version = ++this.#version
    const [id, at, data] = [token.slice(0, 1), version, `${version}`]
    const since = this.table.get(token)?.since ?? version
    this.table.set(token, { token, version, hub, id, since, at, data, state: 'alive' })
    this.messages.push(small ? [token, version, hub, id, since, at, data] : [token, version])
  }

  remove(name: string): void {
    const ended = this.#ended.get(name) ?? 0
    const token = `${name}.${ended}`
    this.#ended.set(name, ended + 1)
    if (this.table.delete(token)) this.messages.push([token, ++this.#version, null])
  }

  deliver(): void {
    const message = this.messages.shift()
    if (message !== undefined) this.watch.receive(message)
  }

  look(): void {
    this.looks.push(this.watch.look())
  }

  /** The look under way sees the table as it is now. */
  snapshot(): void {
    for (const answer of this.#answers) answer.rows ??= [...this.table.values()]
  }

  async answer(): Promise<void> {
    this.snapshot()
    for (const { resolve, rows } of this.#answers.splice(0)) resolve(rows ?? [])
    // All that follows from the answer.
    await new Promise((resolve) => setImmediate(resolve))
  }

  /** Everything arrives, and what is missing stays missing for long. */
  async settle(): Promise<void> {
    while (this.messages.length > 0) this.deliver()
    while (this.#answers.length > 0) await this.answer()
    for (let round = 0; round < 2; round++) {
      this.look()
      while (this.#answers.length > 0) await this.answer()
      clock += 10_000
    }
    await Promise.all(this.looks)
  }

  /** What anyone should know: each id with the data that was said last. */
  get truth(): [string, unknown][] {
    const latest = new Map<string, PresenceRow>()
    for (const row of this.table.values()) {
      if ((latest.get(row.id)?.at ?? -1) < row.at) latest.set(row.id, row)
    }
    return [...latest.values()].map(({ id, data }) => [id, JSON.parse(data ?? '')])
  }
}

const TOKENS = ['a1', 'a2', 'b1', 'c1']

test('in whatever order messages and looks come, lost ones included, the members are those of the table in the end', async () => {
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.tuple(fc.constant('write'), fc.constantFrom(...TOKENS)) },
    { weight: 2, arbitrary: fc.tuple(fc.constant('remove'), fc.constantFrom(...TOKENS)) },
    { weight: 1, arbitrary: fc.tuple(fc.constant('write large'), fc.constantFrom(...TOKENS)) },
    {
      weight: 6,
      arbitrary: fc.tuple(
        fc.constantFrom('deliver', 'look', 'snapshot', 'answer', 'lose'),
        fc.constant(''),
      ),
    },
  )
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), fc.nat(2), async (steps, hub) => {
      const world = new World()
      for (const [does, token] of steps) {
        if (does === 'write') world.write(token, `hub ${hub}`)
        if (does === 'write large') world.write(token, `hub ${hub}`, false)
        if (does === 'remove') world.remove(token)
        if (does === 'deliver') world.deliver()
        if (does === 'look') world.look()
        if (does === 'snapshot') world.snapshot()
        if (does === 'answer') await world.answer()
        if (does === 'lose') {
          // The hub tells of it, and a look follows.
          world.messages.length = 0
          world.look()
        }
        expect(world.audience.wrong).toEqual([])
      }
      while (world.messages.length > 0) world.deliver()
      await world.settle()
      expect([...world.audience.members].sort()).toEqual(world.truth.sort())
      expect(world.audience.wrong).toEqual([])
    }),
    { numRuns: 500 },
  )
})

test('without lost messages nobody is told what was not so at some time, in the order it was', async () => {
  const step = fc.constantFrom(
    ...(['write', 'write', 'remove', 'deliver', 'deliver', 'look', 'snapshot', 'answer'] as const),
  )
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const world = new World()
      const heard: number[] = []
      world.watch.add({
        onJoin: ({ data }) => void heard.push(data as number),
        onUpdate: ({ data }) => void heard.push(data as number),
        onLeave() {},
      })
      for (const does of steps) {
        if (does === 'write') world.write('a1', 'hub')
        if (does === 'remove') world.remove('a1')
        if (does === 'deliver') world.deliver()
        if (does === 'look') world.look()
        if (does === 'snapshot') world.snapshot()
        if (does === 'answer') await world.answer()
      }
      await world.settle()
      // Data is the number of the change: it never goes back, nor comes twice.
      expect(heard).toEqual([...new Set(heard)].sort((one, other) => one - other))
    }),
    { numRuns: 300 },
  )
})

test('look() sees what was there when it was called, also while another is under way', async () => {
  const world = new World()
  world.look()
  world.snapshot()
  world.write('a1', 'hub')
  world.messages.length = 0
  world.look()
  const both = Promise.all(world.looks)
  await world.answer()
  await world.answer()
  await both
  expect(world.audience.ids).toEqual(['a'])
})

test('who left while a look was under way that saw them is not brought back', async () => {
  const world = new World()
  world.write('a1', 'hub')
  world.write('b1', 'hub')
  world.deliver()
  world.look()
  world.snapshot()
  world.remove('a1')
  world.remove('b1')
  while (world.messages.length > 0) world.deliver()
  await world.answer()
  expect(world.audience.log).toEqual(['join a', 'join b', 'leave a', 'leave b'])
})

test('who is missing is in doubt for three seconds, and was never away when found again in that time', async () => {
  const world = new World()
  world.write('a1', 'old hub')
  world.write('b1', 'old hub')
  await world.settle()
  const { log } = world.audience
  expect(log).toEqual(['join a', 'join b'])
  const rows = [...world.table]
  const check = async (alive: string) => {
    const checked = world.watch.check(new Set([alive]))
    await world.answer()
    await checked
  }
  world.table.clear()
  // Nothing looks while the hub lives.
  await check('old hub')
  clock += 2_000
  await check('new hub')
  clock += 2_000
  await check('new hub')
  expect(log).toHaveLength(2)
  // One of them is back.
  for (const [token, row] of rows.slice(0, 1)) {
    world.table.set(token, { ...row, hub: 'new hub', version: row.version + 10 })
  }
  clock += 2_000
  await check('new hub')
  expect(log).toEqual(['join a', 'join b', 'leave b'])
  clock += 10_000
  await check('new hub')
  expect(log).toHaveLength(3)
})
