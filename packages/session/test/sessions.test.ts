import { inspect } from 'node:util'
import { Database } from '@howdah/core'
import { expect, test } from 'vitest'
import { Bench, collect, loaded } from './support.js'

const bench = new Bench()

test('load() answers what create() stored, in every process, and undefined for an unknown id', async () => {
  const a = bench.sessions()
  expect(await a.load('unknown')).toBeUndefined()
  const { id, ref } = await a.create({ cart: [1] })
  expect(id).toMatch(/^[\w-]{43}$/)
  const found = await loaded(bench.elsewhere(), id)
  expect(found.data).toEqual({ cart: [1] })
  expect([found.id, found.ref]).toEqual([id, ref])
  expect(await a.count()).toBe(1)
})

test('many sessions loaded at once are each their own', async () => {
  const a = bench.sessions()
  const made = await Promise.all(Array.from({ length: 300 }, (_, n) => a.create({ n })))
  const asked = [...made, { id: 'unknown' }, ...made].toSorted((x, y) => (x.id < y.id ? -1 : 1))
  const found = await Promise.all(asked.map(({ id }) => a.load(id)))
  for (const [at, { id }] of asked.entries()) {
    expect(found[at]?.data).toEqual(made.find((one) => one.id === id)?.data)
  }
})

test('the id is stored only as its SHA-256, and shows in nothing that is printed', async () => {
  const a = bench.sessions()
  const session = await a.create({ user: 1 }, { id: 'secret-id' })
  const [row] = await bench.rows<{ row: string; hashed: boolean }>(
    `select session::text as row, id_hash = sha256('secret-id'::bytea) as hashed from howdah.session`,
  )
  expect(row?.hashed).toBe(true)
  const seen = [row?.row, inspect(session, { depth: 9, showHidden: true }), JSON.stringify(session)]
  for (const text of seen) {
    expect(text).not.toContain('secret-id')
    expect(text).not.toContain(Buffer.from('secret-id').toString('hex'))
  }
  expect(await collect(a.refs())).toEqual([session.ref])
})

test('an expired session is not found, though its row is still there', async () => {
  const a = bench.sessions()
  const session = await a.create({}, { id: 'a' })
  await bench.age(25 * 60)
  expect(await a.load('a')).toBeUndefined()
  expect(await a.touch('a')).toBe(false)
  session.data = { changed: true }
  expect(await a.save(session)).toBe(false)
  expect(await a.regenerate(session)).toBeUndefined()
  expect(await a.destroy('a')).toBe(false)
  expect(await a.count()).toBe(0)
  expect(await collect(a.all())).toEqual([])
  await a.create({ again: true }, { id: 'a' })
  expect((await loaded(a, 'a')).data).toEqual({ again: true })
})

test('a session lives as long as the call says, or the option', async () => {
  const a = bench.sessions({ ttl: '2h' })
  await a.create({}, { id: 'option' })
  await a.create({}, { id: 'ttl', ttl: '10m' })
  await a.create({}, { id: 'at', expiresAt: new Date('2999-01-01T00:00:00.123Z') })
  const minutes = await bench.rows(
    `select round(extract(epoch from expires_at - now()) / 60)::int as minutes from howdah.session order by expires_at`,
  )
  expect(minutes.slice(0, 2)).toEqual([{ minutes: 10 }, { minutes: 120 }])
  expect((await loaded(a, 'at')).expiresAt).toEqual(new Date('2999-01-01T00:00:00.123Z'))
  const { expiresIn } = await loaded(a, 'ttl')
  expect(expiresIn).toBeGreaterThan(9.5 * 60_000)
  expect(expiresIn).toBeLessThanOrEqual(10 * 60_000)
})

test('touch() writes once a tenth of the life has passed, and asks for nothing before', async () => {
  const a = bench.sessions({ ttl: '100m' })
  await a.create({ kept: true }, { id: 'a' })
  const version = () =>
    bench.rows(
      'select xmin, data, round(extract(epoch from expires_at) * 1000)::float8 as ends from howdah.session',
    )
  await bench.age(9)
  const before = await version()
  expect(await a.touch('a')).toBe(true)
  expect(await a.touch(await loaded(a, 'a'))).toBe(true)
  expect(await version()).toEqual(before)
  await bench.age(2)
  const session = await loaded(a, 'a')
  expect(await a.touch(session)).toBe(true)
  expect(session.expiresIn).toBeGreaterThan(99 * 60_000)
  const [row] = await version()
  expect(row?.['ends']).toBe(session.expiresAt.getTime())
  expect(row?.['data']).toBe('{"kept":true}')
  // Prolonged just now: not even a session that is gone by now is asked for.
  await a.destroy('a')
  expect(await a.touch(session)).toBe(true)
  expect(await a.touch('a')).toBe(false)
})

test('touch() may shorten a life, and with touchEvery 0 it always writes', async () => {
  const a = bench.sessions({ ttl: '100m', touchEvery: 0 })
  await a.create({}, { id: 'a' })
  const [before] = await bench.rows('select xmin from howdah.session')
  expect(await a.touch('a')).toBe(true)
  expect((await bench.rows('select xmin from howdah.session'))[0]).not.toEqual(before)
  expect(await a.touch('a', { ttl: '1m' })).toBe(true)
  expect((await loaded(a, 'a')).expiresIn).toBeLessThanOrEqual(60_001)
})

test('absoluteTimeout ends a session however much it is used', async () => {
  const a = bench.sessions({ ttl: '30m', absoluteTimeout: '1h' })
  await a.create({ n: 0 }, { id: 'a' })
  for (const minutes of [20, 20]) {
    await bench.age(minutes)
    expect(await a.touch(await loaded(a, 'a'))).toBe(true)
  }
  const session = await loaded(a, 'a')
  expect(session.expiresIn).toBeLessThanOrEqual(20 * 60_000)
  session.data['n'] = 1
  expect(await a.save(session)).toBe(true)
  await a.create({ n: 2 }, { id: 'a' })
  expect((await loaded(a, 'a')).expiresIn).toBeLessThanOrEqual(20 * 60_000)
  await bench.age(21)
  expect(await a.load('a')).toBeUndefined()
})

test('without rolling a session ends when it was first said to', async () => {
  const a = bench.sessions({ ttl: '30m', rolling: false })
  await a.create({ n: 0 }, { id: 'a' })
  await bench.age(20)
  const session = await loaded(a, 'a')
  expect(await a.touch(session)).toBe(true)
  expect(await a.touch('a')).toBe(true)
  session.data['n'] = 1
  expect(await a.save(session)).toBe(true)
  const { data, expiresIn } = await loaded(a, 'a')
  expect(data).toEqual({ n: 1 })
  expect(expiresIn).toBeLessThanOrEqual(10 * 60_000)
})

test('regenerate() gives another id, and the old one opens nothing', async () => {
  const a = bench.sessions()
  const anonymous = await a.create({ cart: [1] }, { device: { label: 'phone' } })
  anonymous.data['userId'] = 'ann'
  const user = await a.regenerate(anonymous)
  expect(user?.id).not.toBe(anonymous.id)
  expect(await a.load(anonymous.id)).toBeUndefined()
  expect((await loaded(a, user?.id ?? '')).data).toEqual({ cart: [1], userId: 'ann' })
  expect((await a.listByUser('ann'))[0]?.device).toEqual({ label: 'phone' })
  anonymous.data['late'] = true
  expect(await a.save(anonymous)).toBe(false)
  expect(await a.regenerate(anonymous)).toBeUndefined()
  expect(await a.count()).toBe(1)
})

test('sessions of different names are kept apart', async () => {
  const shop = bench.sessions({ name: 'shop' })
  const admin = bench.sessions({ name: 'admin' })
  await shop.create({ at: 'shop', userId: 1 }, { id: 'same' })
  await admin.create({ at: 'admin', userId: 1 }, { id: 'same' })
  expect((await loaded(shop, 'same')).data['at']).toBe('shop')
  expect((await loaded(admin, 'same')).data['at']).toBe('admin')
  expect(await admin.listByUser(1)).toHaveLength(1)
  await admin.clear()
  expect(await admin.count()).toBe(0)
  expect(await collect(shop.all())).toMatchObject([{ data: { at: 'shop' } }])
  expect(await shop.revokeAll(1)).toBe(1)
})

test('all() and refs() read more than a batch', async () => {
  const a = bench.sessions()
  await Promise.all(Array.from({ length: 1234 }, (_, n) => a.create({ n })))
  const all = await collect(a.all())
  expect(all.map(({ data }) => data['n']).toSorted((x, y) => x - y)).toEqual([
    ...Array(1234).keys(),
  ])
  expect(new Set(await collect(a.refs())).size).toBe(1234)
})

test('prune() removes expired sessions, passing over locked ones and those prolonged meanwhile', async () => {
  const a = bench.sessions()
  await a.create({}, { id: 'old' })
  await a.create({}, { id: 'locked' })
  await bench.age(25 * 60)
  await a.create({}, { id: 'live' })
  await Database.from(bench.pool).transaction(async (tx) => {
    await tx.query(`select from howdah.session where id_hash = sha256('locked') for update`)
    expect(await a.prune()).toBe(1)
  })
  expect(await a.prune()).toBe(1)
  expect(await bench.rows()).toHaveLength(1)
})

test('expired rows are pruned in the background after the first use', async () => {
  await bench.sessions().create({})
  await bench.age(25 * 60)
  const a = bench.sessions({ pruneInterval: 20 })
  const pruned: number[] = []
  a.on('prune', (n) => pruned.push(n))
  await a.load('x')
  await expect.poll(() => pruned).toEqual([1])
})

test('writes join the transaction of the caller, and reads see what it wrote', async () => {
  const a = bench.sessions()
  const kept = await a.create({ n: 0 })
  await expect(
    Database.from(bench.pool).transaction(async (tx) => {
      const own = { client: tx }
      await a.create({}, { id: 'new', ...own })
      expect(await a.load('new', own)).toBeDefined()
      expect(await a.load('new')).toBeUndefined()
      kept.data['n'] = 1
      await a.save(kept, own)
      await a.touch('new', { ttl: '1m', ...own })
      await a.regenerate(kept, own)
      throw new Error('undo')
    }),
  ).rejects.toThrow('undo')
  expect(await a.load('new')).toBeUndefined()
  expect((await loaded(a, kept.id)).data).toEqual({ n: 0 })
})

test('options are validated where the object is made', () => {
  const code = (options: object) => {
    try {
      bench.sessions(options)
    } catch (error) {
      return (error as { code: string }).code
    }
    return undefined
  }
  for (const bad of [
    { maxBytes: 0 },
    { name: '' },
    { name: 'a\0' },
    { name: 'x'.repeat(201) },
    { touchEvery: 2 },
    { touchEvery: Number.NaN },
    { maxPerUser: 1.5 },
    { userId: 'userId' },
    { rolling: 1 },
    { encryption: { keys: [] } },
    { encryption: { keys: [{ id: 'a', key: 'short' }] } },
    { encryption: { keys: [{ id: 'a.b', key: Buffer.alloc(32) }] } },
  ]) {
    expect([bad, code(bad)]).toEqual([bad, 'SESSION_INVALID_OPTION'])
  }
  expect(code({ ttl: 'soon' })).toBe('CORE_INVALID_DURATION')
  expect(code({ absoluteTimeout: 0 })).toBe('CORE_INVALID_DURATION')
  expect(code({ pruneInterval: 0 })).toBe('CORE_INVALID_DURATION')
  expect(code({ pool: {} })).toBe('CORE_INVALID_SOURCE')
})

test('close() refuses further calls', async () => {
  const a = bench.sessions()
  await a.create({})
  await a.close()
  await expect(a.load('a')).rejects.toMatchObject({ code: 'SESSION_CLOSED' })
})
