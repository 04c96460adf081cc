import { Database } from '@howdah/core'
import { expect, test } from 'vitest'
import { Bench, loaded } from './support.js'

const bench = new Bench()

test('listByUser() tells a user of each device, the newest first, and of nobody else', async () => {
  const a = bench.sessions()
  await a.create(
    { userId: 'ann' },
    { id: 'old', device: { address: '192.0.2.1', userAgent: 'Browser/1', label: 'laptop' } },
  )
  await bench.age(60)
  await a.create({ userId: 'ann' }, { id: 'new', device: { address: '2001:db8::1' } })
  await a.create({ userId: 'bea' })
  await a.create({ cart: [] })
  const list = await a.listByUser('ann')
  expect(list.map(({ device }) => device)).toEqual([
    { address: '2001:db8::1' },
    { address: '192.0.2.1', userAgent: 'Browser/1', label: 'laptop' },
  ])
  expect(list[0]?.ref).toBe((await loaded(a, 'new')).ref)
  const hour = (list[0]?.createdAt.getTime() ?? 0) - (list[1]?.createdAt.getTime() ?? 0)
  expect(Math.round(hour / 60_000)).toBe(60)
  expect(list[1]?.seenAt.getTime()).toBe(list[1]?.createdAt.getTime())
})

test('whose session it is follows from its data, by a function of the application', async () => {
  const a = bench.sessions()
  const { id } = await a.create({})
  const session = await loaded(a, id)
  session.data['userId'] = 42
  await a.save(session)
  expect(session.userId).toBe('42')
  expect(await a.listByUser(42)).toHaveLength(1)
  expect(await a.listByUser('42')).toHaveLength(1)
  delete session.data['userId']
  await a.save(session)
  expect(await a.listByUser(42)).toEqual([])
  const passport = bench.sessions({ userId: (data) => data['passport']?.user })
  await passport.create({ passport: { user: 'ann' }, userId: 'not this' })
  await passport.create({})
  expect(await passport.listByUser('ann')).toHaveLength(1)
  expect(await passport.listByUser('not this')).toEqual([])
})

test('revokeAll() ends the sessions of a user in every process, but not the excepted one', async () => {
  const a = bench.sessions()
  const b = bench.elsewhere()
  const mine = await a.create({ userId: 1 })
  const others = await Promise.all([a.create({ userId: 1 }), b.create({ userId: 1 })])
  const bea = await a.create({ userId: 2 })
  expect(await b.revokeAll(1, { except: mine.id })).toBe(2)
  for (const { id } of others) expect(await a.load(id)).toBeUndefined()
  expect(await b.load(mine.id)).toBeDefined()
  expect(await a.revokeAll('1', { except: mine })).toBe(0)
  expect(await a.revokeAll(1)).toBe(1)
  expect(await a.load(bea.id)).toBeDefined()
})

test('revoke() ends a session by its ref, and only that of the user who asks', async () => {
  const a = bench.sessions()
  const ann = await a.create({ userId: 'ann' })
  expect(await a.revoke(ann.ref, { userId: 'eve' })).toBe(false)
  expect(await a.revoke(ann.id)).toBe(false)
  for (const ref of ['', 'zz', '%', `${ann.ref}0`, "' or true --", '\0']) {
    expect(await a.revoke(ref.replace('\0', ''))).toBe(false)
  }
  expect(await a.load(ann.id)).toBeDefined()
  expect(await a.revoke(ann.ref.toUpperCase(), { userId: 'ann' })).toBe(true)
  expect(await a.load(ann.id)).toBeUndefined()
  expect(await a.revoke(ann.ref)).toBe(false)
})

test('of a user who has too many sessions the oldest end', async () => {
  const a = bench.sessions({ maxPerUser: 3 })
  const evicted: string[][] = []
  a.on('evict', (userId, refs) => evicted.push([userId, ...refs]))
  const made = []
  for (let n = 0; n < 5; n++) {
    made.push(await a.create({ userId: 'ann', n }))
    await bench.age(1)
  }
  expect((await a.listByUser('ann')).map(({ ref }) => ref)).toEqual(
    made
      .slice(2)
      .reverse()
      .map(({ ref }) => ref),
  )
  expect(evicted).toEqual([
    ['ann', made[0]?.ref],
    ['ann', made[1]?.ref],
  ])
  // A login is one as well.
  const anonymous = await a.create({})
  anonymous.data['userId'] = 'ann'
  const login = await a.regenerate(anonymous)
  expect(await a.listByUser('ann')).toHaveLength(3)
  expect((await a.listByUser('ann'))[0]?.ref).toBe(login?.ref)
  const late = await a.create({})
  late.data['userId'] = 'ann'
  await a.save(late)
  expect(await a.listByUser('ann')).toHaveLength(3)
})

test('thirty logins at once leave a user with as many sessions as allowed', async () => {
  const a = bench.sessions({ maxPerUser: 3 })
  const b = bench.elsewhere({ maxPerUser: 3 })
  await Promise.all(
    Array.from({ length: 30 }, (_, n) => (n % 2 === 0 ? a : b).create({ userId: 'ann' })),
  )
  expect(await a.listByUser('ann')).toHaveLength(3)
})

test('a user must be somebody', async () => {
  const a = bench.sessions()
  const refused = { code: 'SESSION_INVALID_USER' }
  for (const user of ['', null, undefined, {}, 'a\0', '\ud800', 'x'.repeat(501)]) {
    await expect(a.revokeAll(user as string)).rejects.toMatchObject(refused)
    await expect(a.listByUser(user as string)).rejects.toMatchObject(refused)
  }
  await expect(a.create({ userId: 'a\0' })).rejects.toMatchObject(refused)
  const wrong = bench.sessions({ userId: () => ({}) as never })
  await expect(wrong.create({})).rejects.toMatchObject(refused)
  expect(await bench.rows()).toEqual([])
})

test('what a client says of its device is cut and cleaned', async () => {
  const a = bench.sessions()
  const device = { address: 'x'.repeat(100), userAgent: `\0\ud800${'y'.repeat(5000)}`, label: '' }
  await a.create({ userId: 1 }, { device })
  expect((await a.listByUser(1))[0]?.device).toEqual({
    address: 'x'.repeat(64),
    userAgent: `\ufffd\ufffd${'y'.repeat(510)}`,
  })
})

test('two who revoke everything while saves go on do not lock each other out', async () => {
  const a = bench.sessions()
  const b = bench.elsewhere()
  const made = await Promise.all(Array.from({ length: 60 }, () => a.create({ userId: 1, n: 0 })))
  let saved = 0
  await Promise.all([
    ...made.map(async (session) => {
      for (let n = 1; n < 20; n++) {
        session.data['n'] = n
        if (await a.save(session)) saved++
      }
    }),
    (async () => {
      await expect.poll(() => saved).toBeGreaterThan(100)
      await Promise.all([a.revokeAll(1), b.revokeAll(1)])
    })(),
  ])
  expect(await a.count()).toBe(0)
})

test('operators list and revoke from psql', async () => {
  const a = bench.sessions({ name: 'shop' })
  const b = bench.sessions({ name: 'admin' })
  const ann = await a.create({ userId: 'ann' }, { device: { address: '192.0.2.1' } })
  const other = await b.create({ userId: 'ann' })
  const list = await bench.rows(
    'select name, ref, address from howdah.session_list($1) order by name',
    ['ann'],
  )
  expect(list).toEqual([
    { name: 'admin', ref: other.ref, address: null },
    { name: 'shop', ref: ann.ref, address: '192.0.2.1' },
  ])
  expect(await bench.rows(`select howdah.session_revoke($1) as done`, [ann.ref])).toEqual([
    { done: true },
  ])
  expect(await a.load(ann.id)).toBeUndefined()
  expect(await bench.rows(`select howdah.session_revoke_all('ann') as n`)).toEqual([{ n: '1' }])
  await a.create({})
  await bench.age(25 * 60)
  expect(await bench.rows('select howdah.session_prune() as n')).toEqual([{ n: 1 }])
})

test('a session that is revoked in a transaction that rolls back stays', async () => {
  const a = bench.sessions()
  const { id } = await a.create({ userId: 1 })
  await expect(
    Database.from(bench.pool).transaction(async (tx) => {
      expect(await a.revokeAll(1, { client: tx })).toBe(1)
      throw new Error('undo')
    }),
  ).rejects.toThrow('undo')
  expect(await a.load(id)).toBeDefined()
})

test('logins and logouts of a user whose sessions are being saved never lock each other out', async () => {
  const a = bench.sessions({ maxPerUser: 12 })
  const b = bench.elsewhere({ maxPerUser: 12 })
  const made = await Promise.all(
    Array.from({ length: 12 }, () => a.create({ userId: 'ann', n: 0 })),
  )
  const failed: unknown[] = []
  await Promise.all(
    made.map(async (session, at) => {
      for (let n = 1; n < 25; n++) {
        session.data['n'] = n
        await (at % 2 === 0 ? a : b).save(session).catch((error) => failed.push(error))
        if (n % 5 === 0)
          await (at % 2 === 0 ? b : a)
            .create({ userId: 'ann' })
            .catch((error) => failed.push(error))
      }
    }),
  )
  expect(failed).toEqual([])
  expect(await a.listByUser('ann')).toHaveLength(12)
})
