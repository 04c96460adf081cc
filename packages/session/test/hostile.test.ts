import { channel, tracingChannel } from 'node:diagnostics_channel'
import { inspect } from 'node:util'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Anything, Bench, loaded } from './support.js'

const bench = new Bench()
const NAMES = [
  '__proto__',
  'constructor',
  "'; drop table howdah.session; --",
  '$1',
  'a%',
  'ab',
  'a_',
  '\u001f',
  'a\u001fb',
  'back\\slash',
  'snow ☃ and 🐘',
  ' leading and trailing ',
  'x'.repeat(200),
]

test('any JSON comes back as it was saved, with NUL, lone surrogates and __proto__', async () => {
  const a = bench.sessions()
  await fc.assert(
    fc.asyncProperty(
      fc.string({ unit: 'grapheme', minLength: 1 }),
      fc.jsonValue({ stringUnit: 'binary' }),
      async (id, value) => {
        const text = JSON.stringify({ value, lone: '\ud800', nul: '\0', '\u001f\u001e': '\u001f' })
        const data = JSON.parse(`${text.slice(0, -1)},"__proto__":{"polluted":true}}`)
        await a.create(data, { id })
        const session = await loaded(a, id)
        expect(JSON.stringify(session.data)).toBe(JSON.stringify(data))
        const other = await loaded(a, id)
        session.data['mine'] = value
        other.data['theirs'] = value
        await Promise.all([a.save(session), a.save(other)])
        const merged = (await loaded(a, id)).data
        expect(Object.keys(merged).toSorted()).toEqual(
          [...Object.keys(data), 'mine', 'theirs'].toSorted(),
        )
      },
    ),
    { numRuns: 50 },
  )
  expect(({} as { polluted?: boolean }).polluted).toBeUndefined()
})

test('sessions are kept apart, whatever their ids and names look like', async () => {
  for (const name of NAMES) {
    const a = bench.sessions({ name })
    await Promise.all(NAMES.map((id, at) => a.create({ at, name }, { id })))
  }
  const a = bench.sessions({ name: '__proto__' })
  const found = await Promise.all(NAMES.map((id) => loaded(a, id)))
  expect(found.map(({ data }) => data)).toEqual(NAMES.map((_, at) => ({ at, name: '__proto__' })))
})

test('what cannot be stored is refused with a code, and nothing is written', async () => {
  const a = bench.sessions({ maxBytes: 100 })
  const cycle: Anything = {}
  cycle['self'] = cycle
  const fails = async (act: Promise<unknown>, code: string) =>
    expect(act).rejects.toMatchObject({ name: 'HowdahError', code })
  await fails(a.create({ text: '☃'.repeat(34) }), 'SESSION_TOO_LARGE')
  await fails(a.create(cycle), 'SESSION_INVALID_DATA')
  await fails(a.create({ big: 1n }), 'SESSION_INVALID_DATA')
  for (const data of [undefined, null, 1, 'text', [], () => {}, { toJSON: () => [] }]) {
    await fails(a.create(data as never), 'SESSION_INVALID_DATA')
  }
  await fails(a.create({}, { id: '' }), 'SESSION_INVALID_ID')
  await fails(a.create({}, { id: 'x'.repeat(5000) }), 'SESSION_INVALID_ID')
  await fails(a.load('\ud800'), 'SESSION_INVALID_ID')
  await fails(a.load(7 as never), 'SESSION_INVALID_ID')
  await fails(a.load(undefined as never), 'SESSION_INVALID_ID')
  await fails(a.create({}, { expiresAt: new Date(Number.NaN) }), 'SESSION_INVALID_OPTION')
  await fails(a.create({}, { ttl: -1 }), 'CORE_INVALID_DURATION')
  await fails(a.save({ id: 'a', data: {} } as never), 'SESSION_INVALID_OPTION')
  await a.count()
  expect(await bench.rows()).toEqual([])
})

test('a session that would be too large is refused, alone and after a merge, and stays as it was', async () => {
  const a = bench.sessions()
  const big = 'x'.repeat(5 * 1024 * 1024)
  await expect(a.create({ big })).rejects.toMatchObject({ code: 'SESSION_TOO_LARGE' })
  const { id } = await a.create({})
  const [first, second, third] = await Promise.all([loaded(a, id), loaded(a, id), loaded(a, id)])
  const half = 'x'.repeat(600_000)
  first.data['first'] = half
  second.data['second'] = half
  third.data['third'] = 1
  const saves = await Promise.allSettled([a.save(first), a.save(second), a.save(third)])
  expect(saves.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
  expect(saves[1]).toMatchObject({ reason: { code: 'SESSION_TOO_LARGE' } })
  expect(Object.keys((await loaded(a, id)).data)).toEqual(['first', 'third'])
})

test('a row that something else wrote is reported, not returned', async () => {
  const a = bench.sessions()
  const { id } = await a.create({})
  const other = await a.create({ fine: true })
  for (const data of ['{', '[]', 'null', '']) {
    await bench.pool.query(
      `update howdah.session set data = $1 where id_hash = sha256($2::bytea)`,
      [data, id],
    )
    const [broken, fine] = await Promise.allSettled([a.load(id), a.load(other.id)])
    expect(broken).toMatchObject({ status: 'rejected', reason: { code: 'SESSION_CORRUPT' } })
    expect(fine).toMatchObject({ status: 'fulfilled', value: { data: { fine: true } } })
  }
})

test('100,000 random ids find nothing and leave nothing', async () => {
  const a = bench.sessions()
  const { id } = await a.create({ only: true })
  let found = 0
  for (let round = 0; round < 20; round++) {
    const guesses = Array.from({ length: 5000 }, (_, n) => `${id.slice(0, -8)}${round}-${n}`)
    const answers = await Promise.all(guesses.map((guess) => a.load(guess)))
    found += answers.filter((answer) => answer !== undefined).length
  }
  expect(found).toBe(0)
  expect(await bench.rows()).toHaveLength(1)
})

test('ids show in no trace', async () => {
  const seen: unknown[] = []
  const listen = (message: unknown) => seen.push(inspect(message, { depth: 6 }))
  const names = ['@howdah/session:load', '@howdah/session:save', '@howdah/core:query']
  const handlers = {
    start: listen,
    end: listen,
    asyncStart: listen,
    asyncEnd: listen,
    error: listen,
  }
  for (const name of names) tracingChannel(name).subscribe(handlers)
  const a = bench.sessions()
  const session = await a.create({ n: 0 })
  session.data['n'] = 1
  await a.save(session)
  await a.load(session.id)
  await a.destroy(session.id)
  for (const name of names) tracingChannel(name).unsubscribe(handlers)
  expect(seen.length).toBeGreaterThan(6)
  for (const text of seen) expect(text).not.toContain(session.id)
  expect(channel('tracing:@howdah/session:load:start').hasSubscribers).toBe(false)
})
