import { PGlite } from '@electric-sql/pglite'
import { Database } from '@howdah/core'
import { type TestDatabase, testDatabase } from '@howdah/testkit'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Membership, PubSub } from '../src/index.js'
import { App, Audience, eventually, idsOf, leavesNothingOpen, watch } from './presence-support.js'

let database: TestDatabase
let names = 0

beforeAll(async () => {
  database = await testDatabase()
})
afterAll(() => database.close())

const name = () => `room ${++names}`

describe('presence', () => {
  test('join(), update() and leave() are seen in every process', async () => {
    const [one, two] = [new App(database.url), new App(database.url)]
    const room = name()
    const here = one.pubsub.presence<{ n: number }>(room)
    const there = two.pubsub.presence<{ n: number }>(room)
    const first = await here.join('ada', { n: 1 })
    const audience = await watch(there)
    expect([...audience.members]).toEqual([['ada', { n: 1 }]])
    const second = await here.join('bob')
    await first.update({ n: 2 })
    await eventually(() => [...audience.members]).toEqual([
      ['ada', { n: 2 }],
      ['bob', undefined],
    ])
    const listed = await there.list()
    expect(listed).toEqual([
      { id: 'ada', data: { n: 2 }, since: expect.any(Number) },
      { id: 'bob', data: undefined, since: expect.any(Number) },
    ])
    expect(await one.pubsub.presence(name()).list()).toEqual([])
    await second.leave()
    await second.leave()
    await first.leave()
    await eventually(() => audience.ids).toEqual([])
    expect(audience.log).toEqual(['join ada', 'join bob', 'update ada', 'leave bob', 'leave ada'])
    expect(await there.list()).toEqual([])
    await expect(first.update({ n: 3 })).rejects.toMatchObject({ code: 'PUBSUB_NOT_PRESENT' })
  })

  test('an id is there from its first membership to its last, with what was said last', async () => {
    const [one, two] = [new App(database.url), new App(database.url)]
    const room = name()
    const audience = await watch(two.pubsub.presence(room))
    const [a, b] = [one, two].map((app) => app.pubsub.presence<string>(room))
    const tab = (await a?.join('ada', 'first')) as Membership<string>
    const { since } = (await a?.list())?.[0] ?? {}
    const other = (await b?.join('ada', 'second')) as Membership<string>
    await eventually(() => audience.members.get('ada')).toBe('second')
    await tab.update('first again')
    await eventually(() => audience.members.get('ada')).toBe('first again')
    expect(await a?.list()).toEqual([{ id: 'ada', data: 'first again', since }])
    await tab.leave()
    await eventually(() => audience.members.get('ada')).toBe('second')
    expect(await a?.list()).toMatchObject([{ id: 'ada', data: 'second' }])
    await other.leave()
    await eventually(() => audience.ids).toEqual([])
    expect(audience.log.filter((entry) => !entry.startsWith('update'))).toEqual([
      'join ada',
      'leave ada',
    ])
  })

  test('names, ids and data of any kind come through as they are', async () => {
    const [one, two] = [new App(database.url), new App(database.url)]
    const text = fc
      .oneof(
        fc.string({ unit: 'grapheme', minLength: 1, maxLength: 200 }),
        fc.string({
          unit: fc.constantFrom('\u0001', '"', '\\', 'é', '💥'),
          minLength: 1,
          maxLength: 490,
        }),
        fc.constantFrom('__proto__', 'constructor', "'; drop table x --", '%', ' ', '\n'),
      )
      .filter((each) => !each.includes('\0'))
    const data = fc.oneof(
      fc.jsonValue(),
      fc.constantFrom(undefined, null, '\0', '\ud800', { constructor: 1 }, 'x'.repeat(60_000)),
      fc.constant(JSON.parse('{"__proto__":1}')),
    )
    await fc.assert(
      fc.asyncProperty(text, text, data, data, async (room, id, before, after) => {
        const audience = new Audience()
        const there = two.pubsub.presence(room)
        const subscription = await there.subscribe(audience)
        const membership = await one.pubsub.presence(room).join(id, before)
        const json = (value: unknown) => JSON.stringify(value)
        await eventually(() => [...audience.members].map(json)).toEqual([json([id, before])])
        await membership.update(after)
        await eventually(() => json([...audience.members])).toBe(json([[id, after]]))
        expect(json((await there.list()).map((m) => [m.id, m.data]))).toBe(json([[id, after]]))
        await membership.leave()
        await eventually(() => audience.ids).toEqual([])
        expect(audience.wrong).toEqual([])
        await subscription.close()
      }),
      { numRuns: 60 },
    )
    expect([...one.errors, ...two.errors]).toEqual([])
  })

  test('what cannot be is refused at the door', async () => {
    const { pubsub } = new App(database.url)
    const invalid = expect.objectContaining({ code: 'PUBSUB_INVALID_OPTION' })
    for (const bad of ['', '\0', '\ud800', 'x'.repeat(1001), 7 as unknown as string]) {
      expect(() => pubsub.presence(bad)).toThrow(invalid)
      await expect(pubsub.presence('room').join(bad)).rejects.toThrow(invalid)
    }
    const room = pubsub.presence<unknown>('room')
    await expect(room.join('ada', 1n)).rejects.toMatchObject({ code: 'PUBSUB_INVALID_MESSAGE' })
    await expect(room.join('ada', 'é'.repeat(33_000))).rejects.toMatchObject({
      code: 'CORE_PAYLOAD_TOO_LARGE',
    })
    for (const bad of [undefined, {}, { onJoin: 7 }, { onJoin() {}, onLeave: 'no' }]) {
      await expect(room.subscribe(bad as never)).rejects.toThrow(invalid)
    }
    expect(await room.list()).toEqual([])
    await pubsub.close()
    for (const call of [
      () => room.join('ada'),
      () => room.list(),
      () => room.subscribe({ onJoin() {} }),
    ]) {
      await expect(call()).rejects.toMatchObject({ code: 'PUBSUB_CLOSED' })
    }
  })

  test('a listener that throws takes nothing from others, and an ended one is told no more', async () => {
    const app = new App(database.url)
    const room = app.pubsub.presence(name())
    const fail = () => {
      throw new Error('mine')
    }
    await room.subscribe({ onJoin: fail, onLeave: fail })
    const [stays, goes] = [new Audience(), new Audience()]
    await room.subscribe(stays)
    const subscription = await room.subscribe(goes)
    await room.join('ada')
    await eventually(() => [stays.ids, goes.ids]).toEqual([['ada'], ['ada']])
    await subscription.close()
    await subscription.close()
    await room.join('bob')
    await eventually(() => stays.ids).toEqual(['ada', 'bob'])
    expect(goes.ids).toEqual(['ada'])
    expect(app.errors).toEqual([new Error('mine'), new Error('mine')])
  })

  test('1,000 members are all seen, by who watches and by who comes later', async () => {
    const [one, two, three] = [1, 2, 3].map(() => new App(database.url)) as [App, App, App]
    const room = name()
    const audience = await watch(three.pubsub.presence(room))
    const ids = Array.from({ length: 1_000 }, (_, n) => `member ${n}`)
    const memberships = await Promise.all(
      ids.map((id, n) => (n % 2 === 0 ? one : two).pubsub.presence<number>(room).join(id, n)),
    )
    await eventually(() => audience.ids.length).toBe(1_000)
    const late = await watch(three.pubsub.presence(room))
    expect(late.ids).toEqual([...ids].sort())
    expect(await idsOf(three.pubsub.presence(room))).toEqual([...ids].sort())
    await Promise.all(memberships.map((membership) => membership.leave()))
    await eventually(() => [audience.ids, late.ids]).toEqual([[], []])
    expect([...audience.wrong, ...late.wrong, ...three.errors]).toEqual([])
  })

  test('close() leaves no member, and another PubSub of the process keeps its own', async () => {
    const [one, two] = [new App(database.url), new App(database.url)]
    const other = new PubSub({ pool: one.db })
    const room = name()
    const audience = await watch(two.pubsub.presence(room))
    await Promise.all(['ada', 'bob'].map((id) => one.pubsub.presence(room).join(id)))
    await other.presence(room).join('cyd')
    await eventually(() => audience.ids).toEqual(['ada', 'bob', 'cyd'])
    const joining = one.pubsub
      .presence(room)
      .join('dan')
      .catch((error) => expect(error).toMatchObject({ code: 'PUBSUB_CLOSED' }))
    await one.pubsub.close()
    await joining
    await eventually(() => audience.ids).toEqual(['cyd'])
    await other.close()
    const { rows } = await two.pool.query('select id from howdah.presence_member where name = $1', [
      room,
    ])
    expect(rows).toEqual([])
    expect(one.db.hub.state).toBe('idle')
  })

  test('close() leaves no timer and no socket, and neither does the last to leave', async () => {
    await leavesNothingOpen(async () => {
      const app = new App(database.url)
      const room = app.pubsub.presence(name())
      for (let round = 0; round < 2; round++) {
        const subscription = await room.subscribe({ onJoin() {} })
        const membership = await room.join('ada')
        await Promise.all([subscription.close(), membership.leave()])
      }
      expect(app.db.hub.state).toBe('idle')
      await app.pool.end()
    })
    await leavesNothingOpen(async () => {
      const app = new App(database.url)
      const room = app.pubsub.presence(name())
      await room.subscribe({ onJoin() {} })
      await room.join('ada')
      await app.close()
    })
  })

  test('the SQL function lists members as list() does', async () => {
    const app = new App(database.url)
    const room = name()
    const presence = app.pubsub.presence(room)
    await presence.join('ada', { n: 1 })
    await presence.join('ada', { n: 2 })
    await presence.join('bob')
    const members = 'select id, data, times from howdah.presence_members($1)'
    expect((await app.pool.query(members, [room])).rows).toEqual([
      { id: 'ada', data: { n: 2 }, times: 2 },
      { id: 'bob', data: null, times: 1 },
    ])
    expect((await app.pool.query(members, [name()])).rows).toEqual([])
  })

  test('works on PGlite', async () => {
    const pglite = await PGlite.create()
    const db = Database.from(pglite)
    const pubsub = new PubSub({ pool: db })
    const room = pubsub.presence<number>('room')
    const audience = await watch(room)
    const membership = await room.join('ada', 1)
    await membership.update(2)
    await eventually(() => [...audience.members]).toEqual([['ada', 2]])
    expect(await idsOf(room)).toEqual(['ada'])
    await pubsub.close()
    await db.close()
    await pglite.close()
  })
})

test('whatever is joined, updated and left at the same time, all agree in the end', async () => {
  const apps = [
    new App(database.url),
    new App(database.url),
    new App(database.url, { listen: false }),
  ]
  const ids = ['a', 'b', '__proto__']
  const step = fc.record({
    app: fc.nat(2),
    id: fc.constantFrom(...ids),
    does: fc.constantFrom('join', 'join', 'update', 'leave'),
    waits: fc.boolean(),
  })
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const room = name()
      const rooms = apps.map((app) => app.pubsub.presence<number>(room))
      const early = await Promise.all(rooms.map((each) => watch(each)))
      const memberships: Membership<number>[] = []
      const model = new Map<Membership<number>, { id: string; data: number }>()
      const underWay: Promise<unknown>[] = []
      for (const [n, { app, id, does, waits }] of steps.entries()) {
        const mine = [...model].filter(([, { id: its }]) => its === id)
        const [membership] = mine[n % Math.max(1, mine.length)] ?? []
        if (does === 'join') {
          const joining = rooms[app]?.join(id, n) as Promise<Membership<number>>
          const joined = await joining
          memberships.push(joined)
          model.set(joined, { id, data: n })
        } else if (membership !== undefined) {
          if (does === 'leave') model.delete(membership)
          else model.set(membership, { id, data: n })
          underWay.push(does === 'leave' ? membership.leave() : membership.update(n))
        }
        if (waits) await Promise.all(underWay.splice(0))
      }
      await Promise.all(underWay)
      const late = await Promise.all(rooms.map((each) => watch(each)))
      const expected = [...new Set([...model.values()].map(({ id }) => id))].sort()
      const possible = (id: string) =>
        [...model.values()].filter((m) => m.id === id).map((m) => m.data)
      for (const audience of [...early, ...late]) {
        await eventually(() => audience.ids).toEqual(expected)
        expect(audience.wrong).toEqual([])
      }
      const [listed] = await Promise.all(rooms.map((each) => each.list()))
      for (const { id, data } of listed ?? []) {
        expect(possible(id)).toContain(data)
        for (const audience of [...early, ...late]) {
          await eventually(() => audience.members.get(id)).toBe(data)
        }
      }
      expect(listed?.length).toBe(expected.length)
      await Promise.all(memberships.map((membership) => membership.leave()))
      for (const audience of early) await eventually(() => audience.ids).toEqual([])
    }),
    { numRuns: 25 },
  )
  expect(apps.flatMap(({ errors }) => errors)).toEqual([])
}, 60_000)
