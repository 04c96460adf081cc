import { randomBytes } from 'node:crypto'
import { Database } from '@howdah/core'
import { expect, test } from 'vitest'
import { Bench, loaded } from './support.js'

const bench = new Bench()
const newKey = (id: string) => ({ id, key: randomBytes(32) })
const refused = { code: 'SESSION_UNREADABLE' }

test('what a session holds is encrypted, with a nonce of its own each time', async () => {
  const key = newKey('k1')
  const a = bench.sessions({ encryption: { keys: [key] } })
  const session = await a.create({ secret: 'the secret', n: 0 })
  const texts = new Set<string>()
  for (let n = 1; n < 20; n++) {
    const [row] = await bench.rows<{ row: string; data: string }>(
      'select session::text as row, data from howdah.session',
    )
    expect(row?.row).not.toContain('secret')
    expect(row?.data).toMatch(/^~k1\.[\w-]+$/)
    texts.add(row?.data.slice(0, 20) ?? '')
    session.data['n'] = n
    await a.save(session)
  }
  expect(texts.size).toBe(19)
  expect((await loaded(a, session.id)).data).toEqual({ secret: 'the secret', n: 19 })
})

test('saves of encrypted sessions are merged as well', async () => {
  const a = bench.sessions({ encryption: { keys: [newKey('k')] } })
  const { id } = await a.create({})
  const open = await Promise.all(Array.from({ length: 30 }, () => loaded(a, id)))
  await Promise.all(
    open.map((session, n) => {
      session.data[`key${n}`] = n
      return a.save(session)
    }),
  )
  expect(Object.keys((await loaded(a, id)).data)).toHaveLength(30)
})

test('keys rotate: the first seals, all open, and reencrypt() does without the old one', async () => {
  const [k1, k2] = [newKey('k1'), newKey('k2')]
  const before = bench.sessions({
    encryption: { keys: [{ id: 'k1', key: k1.key.toString('base64') }] },
  })
  const ids = await Promise.all(
    Array.from({ length: 450 }, async (_, n) => (await before.create({ n })).id),
  )
  const during = bench.sessions({ encryption: { keys: [k2, k1] } })
  const open = await loaded(during, ids[0] ?? '')
  open.data['n'] = 'saved'
  await during.save(open)
  const first = await loaded(during, ids[1] ?? '')
  expect(await during.reencrypt()).toEqual({ done: 449, unreadable: 0 })
  expect(await during.reencrypt()).toEqual({ done: 0, unreadable: 0 })
  // It changed nothing that a request in flight could notice.
  first.data['n'] = 'saved after'
  expect(await during.save(first)).toBe(true)
  const after = bench.sessions({
    encryption: { keys: [{ id: 'k2', key: k2.key.toString('hex') }] },
  })
  expect((await loaded(after, ids[0] ?? '')).data).toEqual({ n: 'saved' })
  expect((await loaded(after, ids[1] ?? '')).data).toEqual({ n: 'saved after' })
  expect((await loaded(after, ids[449] ?? '')).data).toEqual({ n: 449 })
  await expect(before.load(ids[2] ?? '')).rejects.toMatchObject(refused)
})

test('reencrypt() does not undo a save that commits meanwhile', async () => {
  const [k1, k2] = [newKey('k1'), newKey('k2')]
  const { id } = await bench.sessions({ encryption: { keys: [k1] } }).create({ n: 0 })
  const old = bench.sessions({ encryption: { keys: [k1, k2] } })
  const a = bench.sessions({ encryption: { keys: [k2, k1] } })
  const session = await loaded(old, id)
  session.data['n'] = 1
  let rotation: Promise<unknown> | undefined
  await Database.from(bench.pool).transaction(async (tx) => {
    await old.save(session, { client: tx })
    rotation = a.reencrypt()
    await expect.poll(() => bench.waiting()).toHaveLength(1)
  })
  expect(await rotation).toEqual({ done: 0, unreadable: 0 })
  expect((await loaded(a, id)).data).toEqual({ n: 1 })
})

test('sessions from before encryption are opened while that is allowed', async () => {
  const plain = bench.sessions()
  const { id } = await plain.create({ n: 1 })
  const keys = [newKey('k')]
  const strict = bench.sessions({ encryption: { keys } })
  const lenient = bench.sessions({ encryption: { keys, acceptPlain: true } })
  await expect(strict.load(id)).rejects.toMatchObject(refused)
  expect(await strict.reencrypt()).toEqual({ done: 0, unreadable: 1 })
  expect((await loaded(lenient, id)).data).toEqual({ n: 1 })
  expect(await lenient.reencrypt()).toEqual({ done: 1, unreadable: 0 })
  expect((await loaded(strict, id)).data).toEqual({ n: 1 })
  await expect(plain.load(id)).rejects.toMatchObject(refused)
  await expect(plain.reencrypt()).rejects.toMatchObject({ code: 'SESSION_INVALID_OPTION' })
})

test('who can write to the table cannot forge a session, nor give one the contents of another', async () => {
  const a = bench.sessions({ encryption: { keys: [newKey('k')] } })
  const admin = await a.create({ userId: 'admin' })
  const eve = await a.create({ userId: 'eve' })
  const put = (data: string) =>
    bench.pool.query(`update howdah.session set data = $1 where id_hash = decode($2, 'hex')`, [
      data,
      eve.ref,
    ])
  const [sealed] = await bench.rows<{ data: string }>(
    `select data from howdah.session where id_hash = decode($1, 'hex')`,
    [admin.ref],
  )
  const data = sealed?.data ?? ''
  const flipped = data.slice(0, -1) + (data.endsWith('A') ? 'B' : 'A')
  for (const forged of [
    data,
    flipped,
    '{"userId":"admin"}',
    '~k.',
    '~',
    '~k.AAAA',
    '~other.AAAA',
    data.slice(0, 30),
  ]) {
    await put(forged)
    await expect(a.load(eve.id)).rejects.toMatchObject(refused)
  }
  expect((await loaded(a, admin.id)).data).toEqual({ userId: 'admin' })
})

test('no error shows what it is about', async () => {
  const a = bench.sessions({ encryption: { keys: [newKey('k')] } })
  const { id, ref } = await bench.sessions().create({ secret: 'the secret' })
  const error = await a.load(id).then(
    () => undefined,
    (reason) => reason,
  )
  const shown = `${error.stack} ${JSON.stringify(error)} ${error.cause}`
  for (const hidden of [id, ref, 'the secret']) expect(shown).not.toContain(hidden)
})
