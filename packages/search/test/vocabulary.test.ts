import { Database } from '@howdah/core'
import { type TestDatabase, testDatabase } from '@howdah/testkit'
import fc from 'fast-check'
import type { Pool } from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Language } from '../src/language/language.js'
import { Lexemes } from '../src/language/lexemes.js'
import { foldWords } from '../src/sql/fold-words.js'
import { forgetWords } from '../src/sql/forget-index.js'
import { lookUp } from '../src/sql/look-up.js'
import { noteWords, voidWords } from '../src/sql/note-words.js'
import { maxDistance, nearWords } from '../src/vocabulary/corrections.js'
import { editDistance } from '../src/vocabulary/distance.js'
import { suggest } from '../src/vocabulary/suggest.js'

const SIMPLE: Language = { config: { schema: 'pg_catalog', name: 'simple' }, unaccent: undefined }

let database: TestDatabase
let pool: Pool
let db: Database

beforeAll(async () => {
  database = await testDatabase()
  pool = database.pool()
  db = Database.from(pool)
})
afterAll(async () => {
  await db.close()
  await database.close()
})

interface Noted {
  readonly text: string
  readonly sign?: 1 | -1
  readonly tenant?: string
}

function note(index: number, texts: readonly Noted[]): string {
  const rows = texts.map(
    ({ text, sign = 1, tenant = '' }) =>
      `('${text.replaceAll("'", "''")}'::text, ${sign}, '${tenant}'::text)`,
  )
  const from = `select * from (values ${rows.join(', ')}) v(text, sign, tenant)`
  return noteWords(db.schema, { index, language: SIMPLE, from })
}

async function fold(index: number): Promise<void> {
  for (;;) {
    const [row] = await db.query(foldWords(db.schema, index))
    if ((row?.folded ?? 0) === 0) return
  }
}

async function words(index: number, tenant = ''): Promise<Record<string, number>> {
  const { rows } = await pool.query(
    `select w.word, w.documents from howdah.search_word w
     join howdah.search_vocabulary v on v.id = w.vocabulary
     where v.index_id = $1 and v.tenant = $2 order by 1`,
    [index, tenant],
  )
  return Object.fromEntries(rows.map(({ word, documents }) => [word, documents]))
}

async function near(index: number, word: string, tenant = '') {
  const asked = [{ word, distance: maxDistance(word) }]
  const [row] = await db.query(
    lookUp(db.schema, { index, tenant, words: asked, beginnings: [], limit: 1 }),
  )
  return nearWords(word, row?.words[0]?.near ?? [])
}

test('words of documents are counted once a document, and removed with the last that has them', async () => {
  await pool.query(note(1, [{ text: 'Free music, FREE trial' }, { text: 'free bank' }]))
  await fold(1)
  expect(await words(1)).toEqual({ bank: 1, free: 2, music: 1, trial: 1 })
  await pool.query(
    note(1, [
      { text: 'free bank', sign: -1 },
      { text: 'free bonus' },
      { text: 'Free music, FREE trial', sign: -1 },
    ]),
  )
  await fold(1)
  expect(await words(1)).toEqual({ bonus: 1, free: 1 })
  const { rows } = await pool.query(
    `select word from howdah.search_error_word where vocabulary in
      (select id from howdah.search_vocabulary where index_id = 1) order by 1`,
  )
  expect(rows.map(({ word }) => word)).toEqual(['bonus', 'free'])
})

test('numbers, addresses, CJK and overlong words are no words', async () => {
  const text = `12 3.5 a@b.com http://x.org/y 東京都 x ${'long'.repeat(20)} deadbeef0123456789 mp3 wi-fi it's naïve`
  await pool.query(note(2, [{ text }]))
  await fold(2)
  expect(Object.keys(await words(2))).toEqual(['fi', 'it', 'mp3', 'naïve', 'wi'])
})

test('a truncated table voids what was noted before, and not what comes after', async () => {
  await pool.query(note(3, [{ text: 'old words' }]))
  await fold(3)
  await pool.query(note(3, [{ text: 'older still' }]))
  await pool.query(voidWords(db.schema, 3))
  await pool.query(note(3, [{ text: 'new words' }]))
  await fold(3)
  expect(await words(3)).toEqual({ new: 1, words: 1 })
})

test('writers wait neither for each other nor for a fold, and no count is lost', async () => {
  const open = await pool.connect()
  const folding = await pool.connect()
  try {
    await pool.query(note(4, [{ text: 'hot word' }]))
    await open.query('begin')
    await open.query(note(4, [{ text: 'hot open' }]))
    await folding.query('begin')
    const [row] = await db.query(foldWords(db.schema, 4), folding)
    expect(row?.folded).toBe(1)
    // Both are in the middle of a transaction about the word; others write it, and a second fold does not wait.
    await Promise.all(Array.from({ length: 5 }, () => pool.query(note(4, [{ text: 'hot' }]))))
    expect(await db.query(foldWords(db.schema, 4))).toEqual([{ folded: null }])
    await folding.query('commit')
    await fold(4)
    expect(await words(4)).toEqual({ hot: 6, word: 1 })
    await open.query('commit')
    await fold(4)
    expect(await words(4)).toEqual({ hot: 7, open: 1, word: 1 })
  } finally {
    open.release()
    folding.release()
  }
})

test('counts are those of the documents after random writes, rollbacks and folds at the same time', async () => {
  const texts = ['alpha beta', 'beta gamma gamma', 'delta', 'alpha delta epsilon', '']
  const documents = new Map<number, string>()
  let seed = 1
  const next = (n: number) => {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0
    return seed % n
  }
  const writer = async (which: number) => {
    for (let round = 0; round < 40; round++) {
      const id = next(6) * 3 + which
      const old = documents.get(id)
      const text = texts[next(texts.length)] as string
      const client = await pool.connect()
      const kept = next(4) > 0
      if (kept) documents.set(id, text)
      await client.query('begin')
      const gone = old === undefined ? [] : [{ text: old, sign: -1 as const }]
      await client.query(note(5, [...gone, { text }]))
      await client.query(kept ? 'commit' : 'rollback')
      client.release()
    }
  }
  const folder = async () => {
    for (let round = 0; round < 30; round++) await db.query(foldWords(db.schema, 5))
  }
  await Promise.all([writer(0), writer(1), writer(2), folder(), folder()])
  await fold(5)
  const expected: Record<string, number> = {}
  for (const text of documents.values()) {
    for (const word of new Set(text.split(' ').filter(Boolean))) {
      expected[word] = (expected[word] ?? 0) + 1
    }
  }
  expect(await words(5)).toEqual(expected)
})

test('each tenant has a vocabulary of its own', async () => {
  await pool.query(
    note(6, [
      { text: 'secretword', tenant: 'acme' },
      { text: 'secretwords', tenant: 'other' },
    ]),
  )
  await fold(6)
  expect((await near(6, 'secretwrd', 'acme')).map(({ word }) => word)).toEqual(['secretword'])
  expect((await near(6, 'secretwrd', 'other')).map(({ word }) => word)).toEqual(['secretwords'])
  expect(await near(6, 'secretwrd', 'third')).toEqual([])
  const lexemes = new Lexemes(db, SIMPLE)
  const from = { index: 6, tenant: 'acme' }
  expect((await suggest(db, lexemes, from, 'sec')).map(({ word }) => word)).toEqual(['secretword'])
})

test('suggest() completes the last word, the most frequent first, and corrects it where nothing begins so', async () => {
  await pool.query(
    note(7, [{ text: 'music museum' }, { text: 'music' }, { text: 'mußte' }, { text: 'zebra' }]),
  )
  await fold(7)
  const lexemes = new Lexemes(db, SIMPLE)
  const from = { index: 7, tenant: '' }
  const texts = async (typed: string) =>
    (await suggest(db, lexemes, from, typed)).map(({ text }) => text)
  expect(await texts('free mu')).toEqual(['free music', 'free museum', 'free mußte'])
  expect(await texts('"Mus')).toEqual(['"music', '"museum'])
  expect(await texts('musci')).toEqual(['music'])
  expect(await texts('music ')).toEqual([])
  expect(await texts('%')).toEqual([])
  expect(await texts("z'")).toEqual([])
  expect(await texts(`${'\u{10ffff}'}`)).toEqual([])
  for (const typed of ['mu\0', '\ud800mu', '퟿', 'x'.repeat(5000), '_', 'mu%', '東'])
    await texts(typed)
  await expect(suggest(db, lexemes, from, 'x', { limit: 0 })).rejects.toMatchObject({
    code: 'SEARCH_INVALID_QUERY',
  })
})

test('every word within the distance is found, as by brute force', async () => {
  const letter = fc.constantFrom('a', 'b', 'c', 'é')
  const word = fc.string({ unit: letter, minLength: 3, maxLength: 14 })
  let index = 100
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(word, { minLength: 1, maxLength: 120 }),
      fc.array(word, { minLength: 1, maxLength: 40 }),
      fc.integer({ min: 1 }),
      async (vocabulary, others, seed) => {
        index++
        const typed = [...others, ...vocabulary.map((one, at) => withTwoErrors(one, seed + at))]
        await pool.query(
          note(
            index,
            vocabulary.map((text) => ({ text })),
          ),
        )
        await fold(index)
        const asked = typed.map((one) => ({ word: one, distance: maxDistance(one) }))
        const statement = lookUp(db.schema, {
          index,
          tenant: '',
          words: asked,
          beginnings: [],
          limit: 1,
        })
        const [row] = await db.query(statement)
        for (const [at, one] of typed.entries()) {
          const max = maxDistance(one)
          const expected = vocabulary.filter(
            (other) => other !== one && max > 0 && editDistance(one, other, max) <= max,
          )
          const found = nearWords(one, row?.words[at]?.near ?? []).map((entry) => entry.word)
          expect(found.sort(), one).toEqual(expected.sort())
        }
        await db.query(forgetWords(db.schema, index))
      },
    ),
    { numRuns: 60 },
  )
  const { rows } = await pool.query(`select count(*)::int as n from howdah.search_error_word e
    where not exists (select from howdah.search_vocabulary v where v.id = e.vocabulary)`)
  expect(rows).toEqual([{ n: 0 }])
})

/** A word with two letters added, left out, replaced or swapped with their neighbour. */
function withTwoErrors(word: string, seed: number): string {
  let state = seed
  let letters = [...word]
  for (let edit = 0; edit < 2; edit++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    const at = (state >>> 8) % letters.length
    const kind = (state >>> 4) % 4
    const rest = letters.slice(kind === 1 ? at : at + 1)
    letters = [...letters.slice(0, at), ...(kind === 0 ? [] : ['x']), ...rest]
    if (kind === 3) letters = letters.toSpliced(at, 1, letters[at + 1] ?? 'y')
  }
  return letters.join('')
}

test('the distance is the textbook one', () => {
  const word = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 7 })
  fc.assert(
    fc.property(word, word, fc.integer({ min: 0, max: 3 }), (a, b, max) => {
      expect(editDistance(a, b, max)).toBe(Math.min(plainDistance(a, b), max + 1))
    }),
    { numRuns: 3000 },
  )
})

/** Optimal string alignment by its recursive definition. */
function plainDistance(a: string, b: string): number {
  if (a === '' || b === '') return a.length + b.length
  const same = a.at(-1) === b.at(-1) ? 0 : 1
  const found = [
    plainDistance(a.slice(0, -1), b) + 1,
    plainDistance(a, b.slice(0, -1)) + 1,
    plainDistance(a.slice(0, -1), b.slice(0, -1)) + same,
  ]
  if (a.length > 1 && b.length > 1 && a.at(-1) === b.at(-2) && a.at(-2) === b.at(-1)) {
    found.push(plainDistance(a.slice(0, -2), b.slice(0, -2)) + 1)
  }
  return Math.min(...found)
}
