import { Database } from '@howdah/core'
import { type TestDatabase, testDatabase } from '@howdah/testkit'
import fc from 'fast-check'
import type { Pool } from 'pg'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { SearchRules } from '../src/curation/search-rules.js'
import type { Language } from '../src/language/language.js'
import { type Group, type QueryPlan, termQuery } from '../src/query/query-plan.js'
import { type PlanOptions, QueryPlanner } from '../src/query/query-planner.js'
import { understood } from '../src/query/understood.js'
import { foldWords } from '../src/sql/fold-words.js'
import { noteWords } from '../src/sql/note-words.js'

const ENGLISH: Language = { config: { schema: 'pg_catalog', name: 'english' }, unaccent: undefined }
const INDEX = 1

let database: TestDatabase
let pool: Pool
let db: Database
let planner: QueryPlanner
let rules: SearchRules

beforeAll(async () => {
  database = await testDatabase()
  pool = database.pool()
  db = Database.from(pool)
  await learn(
    `select w as text, 1 as sign, '' as tenant from unnest(array['television', 'televisions', 'music', 'museum', 'running',
      'bank account', 'new york city', 'the', 'recieve', 'algorithms', 'receive', 'student']) w`,
  )
  await learn(`select 'receive' as text, 1 as sign, '' as tenant from generate_series(1, 99)`)
  planner = new QueryPlanner(db, {
    id: INDEX,
    vocabulary: INDEX,
    language: ENGLISH,
    fields: ['title', 'body'],
  })
  rules = new SearchRules(db, async () => INDEX)
})
beforeEach(async () => {
  await rules.setSynonyms([])
  await rules.setStopWords([])
  await rules.setResults([])
})
afterAll(async () => {
  await db.close()
  await database.close()
})

async function learn(from: string) {
  await pool.query(noteWords(db.schema, { index: INDEX, language: ENGLISH, from }))
  await db.query(foldWords(db.schema, INDEX))
}

const plan = (query: string, options: Partial<PlanOptions> = {}) =>
  planner.plan(query, { mode: 'any', fuzzy: true, prefix: false, tenant: '', ...options })

/** A plan's branches in a short form: `+` for required, and alternatives with where they come from. */
const shape = ({ branches }: Pick<QueryPlan, 'branches'>) =>
  branches.map((groups) => groups.map(shapeOf).join('; '))
const shapeOf = ({ required, field, alternatives }: Group) =>
  `${required ? '+' : ''}${field === undefined ? '' : `${field}:`}${alternatives
    .map(({ term, origin }) => `${termQuery(term)}${origin === 'typed' ? '' : ` ${origin}`}`)
    .join(', ')}`
const shaped = async (query: string, options?: Partial<PlanOptions>) =>
  shape(await plan(query, options))

test('words are stemmed, stop words dropped, and parts of a word are words', async () => {
  expect(await shaped('the running musics')).toEqual(["'run'; 'music'"])
  expect(await shaped('bank,account', { mode: 'all' })).toEqual(["+'bank'; +'account'"])
  expect(await shaped('new-york', { mode: 'all' })).toEqual(["'new-york'; +'new'; +'york'"])
})

test('phrases and fields are required in every mode, and keep the gaps of stop words', async () => {
  expect(await shaped('"bank of the account" title:music running')).toEqual([
    "+'bank' <3> 'account'; +title:'music'; 'run'",
  ])
  expect(await shaped('"music"')).toEqual(["+'music'"])
})

test('what is excluded is a word, a beginning or a phrase', async () => {
  const { excluded, branches, blank } = await plan(
    '-running -"bank account" -mus* -title:wi-fi -the',
  )
  expect(excluded.map(({ term, field }) => [termQuery(term), field])).toEqual([
    ["'run'", undefined],
    ["'bank' <1> 'account'", undefined],
    ["'mus':*", undefined],
    ["'wi-fi' <1> 'wi' <1> 'fi'", 'title'],
  ])
  expect([branches, blank]).toEqual([[], true])
})

test('a query of stop words alone is not blank, and an empty one is', async () => {
  expect(await plan('the')).toMatchObject({ branches: [], blank: false })
  expect(await plan(' "" - ')).toMatchObject({ branches: [], blank: true })
})

test('mistyped words are searched as what they were meant to be, and known ones are not', async () => {
  const found = await plan('televison OR Muisc "museun" musik title:studnt')
  expect(shape(found)).toEqual([
    "'televison', 'televis' correction",
    "'muisc', 'music' correction; +'museun'; 'musik', 'music' correction; +title:'studnt', 'student' correction",
  ])
  const corrected = (typed: string, word: string) => ({
    typed,
    searched: [{ word, origin: 'correction' }],
  })
  expect(understood(found)).toEqual([
    corrected('televison', 'television'),
    corrected('Muisc', 'music'),
    corrected('musik', 'music'),
    corrected('studnt', 'student'),
  ])
  expect(found.didYouMean).toBe('television OR music "museun" music title:student')
  const exact = await plan('museum music')
  expect([understood(exact), exact.didYouMean]).toEqual([[], undefined])
  expect(understood(await plan('televison', { fuzzy: false }))).toEqual([])
})

test('of several words that may be meant, each counts as it is likely', async () => {
  await learn(`select case when n = 1 then 'barn' else 'bark' end as text, 1 as sign, '' as tenant
    from generate_series(1, 5) n`)
  const { branches } = await plan('barx')
  const weights = branches[0]?.[0]?.alternatives.map(({ term, weight }) => [
    termQuery(term),
    weight,
  ])
  expect(weights).toEqual([
    ["'barx'", 1],
    ["'bark'", 1],
    ["'barn'", 0.25],
  ])
})

test('two errors are corrected from eight letters on, and none in short words', async () => {
  expect((await plan('algoritsm')).didYouMean).toBe('algorithms')
  expect((await plan('musci')).didYouMean).toBe('music')
  expect((await plan('muusci')).didYouMean).toBeUndefined()
  expect((await plan('cty')).didYouMean).toBeUndefined()
})

test('a word that hardly any document has is an error where another is far more frequent', async () => {
  expect(await shaped('recieve')).toEqual(["'reciev', 'receiv' correction"])
  expect(await shaped('televisions')).toEqual(["'televis'"])
})

test('a beginning has the words that begin so beside it, and so does the last word on request', async () => {
  expect(await shaped('mus*')).toEqual(["'mus':*, 'museum' completion, 'music' completion"])
  expect(await shaped('free mus', { prefix: true })).toEqual([
    "'free'; 'mus', 'museum' completion, 'music' completion",
  ])
  expect(await shaped('free mus ', { prefix: true })).toEqual(["'free'; 'mus'"])
  // What begins words is not corrected, though it is near one.
  expect((await plan('museu', { prefix: true })).didYouMean).toBeUndefined()
  expect((await plan('museu')).didYouMean).toBe('museum')
  expect(await shaped('m*')).toEqual(["'m':*, 'museum' completion, 'music' completion"])
})

test('synonyms go both ways or one way, and may be phrases', async () => {
  await rules.setSynonyms([
    ['tv', 'televisions', 'small screen'],
    { from: ['phone'], to: ['iphone', 'android phone'] },
  ])
  expect(await shaped('tv', { mode: 'all' })).toEqual([
    "+'tv', 'televis' synonym, 'small' <1> 'screen' synonym",
  ])
  // Both words of the phrase, or one of the others for both.
  expect(await shaped('small screens', { mode: 'all' })).toEqual([
    "+'small', 'tv' synonym, 'televis' synonym; +'screen', 'tv' synonym, 'televis' synonym",
  ])
  expect(understood(await plan('small screens OR tv'))).toEqual([
    {
      typed: 'small screens',
      searched: [
        { word: 'tv', origin: 'synonym' },
        { word: 'televisions', origin: 'synonym' },
      ],
    },
    {
      typed: 'tv',
      searched: [
        { word: 'televisions', origin: 'synonym' },
        { word: 'small screen', origin: 'synonym' },
      ],
    },
  ])
  expect(await shaped('screen small')).toEqual(["'screen'; 'small'"])
  expect(await shaped('phone')).toEqual(["'phone', 'iphon' synonym, 'android' <1> 'phone' synonym"])
  expect(await shaped('iphone')).toEqual(["'iphon'"])
  // A correction has synonyms, a quoted word and one of another field have none.
  expect(await shaped('televison')).toEqual([
    "'televison', 'televis' correction, 'tv' synonym, 'small' <1> 'screen' synonym",
  ])
  expect(await shaped('"tv" title:small screen')).toEqual(["+'tv'; +title:'small'; 'screen'"])
})

test('stop words are passed over unless they are all there is', async () => {
  await rules.setStopWords(['Cheap', 'running'])
  expect(await shaped('cheap music run')).toEqual(["'music'"])
  expect(await shaped('cheap "cheap music" title:cheap')).toEqual([
    "+'cheap' <1> 'music'; +title:'cheap'",
  ])
  expect(await shaped('cheap')).toEqual(["'cheap'"])
})

test('results are pinned and hidden for a query or for all', async () => {
  await rules.setResults([
    { query: ' Free  MUSIC', pinned: ['7', '3'], hidden: ['9'] },
    { pinned: ['1', '3'], hidden: ['8'] },
  ])
  expect(await plan('free music')).toMatchObject({ pinned: ['7', '3', '1'], hidden: ['9', '8'] })
  expect(await plan('other')).toMatchObject({ pinned: ['1', '3'], hidden: ['8'] })
})

test('rules apply from the next plan on, in every process, and those rolled back never did', async () => {
  const other = new QueryPlanner(db, {
    id: INDEX,
    vocabulary: INDEX,
    language: ENGLISH,
    fields: [],
  })
  await rules.setStopWords(['bank'])
  const client = await pool.connect()
  try {
    await client.query('begin')
    await rules.setStopWords(['music'], { client })
    expect(await shaped('bank music', { client })).toEqual(["'bank'"])
    await client.query('rollback')
  } finally {
    client.release()
  }
  await rules.setStopWords(['student'])
  for (const one of [planner, other]) {
    const options = { mode: 'any', fuzzy: false, prefix: false, tenant: '' } as const
    expect(shape(await one.plan('bank music student', options))).toEqual(["'bank'; 'music'"])
  }
  expect(await rules.stopWords()).toEqual(['student'])
  expect([await rules.synonyms(), await rules.results()]).toEqual([[], []])
})

test('rules that are none are refused', async () => {
  const refused = (call: Promise<void>) =>
    expect(call).rejects.toMatchObject({ code: 'SEARCH_INVALID_RULE' })
  const any = (value: unknown) => value as never
  await refused(rules.setSynonyms(any('tv')))
  await refused(rules.setSynonyms(any([['tv']])))
  await refused(rules.setSynonyms(any([{ from: ['tv'] }])))
  await refused(rules.setSynonyms([['tv', 'a\0b']]))
  await refused(rules.setSynonyms([['tv', '\ud800']]))
  await refused(rules.setSynonyms(any([null])))
  await refused(rules.setStopWords([' ']))
  await refused(rules.setStopWords(any(Array(10_001).fill('x'))))
  await refused(rules.setResults(any(['x'])))
  await refused(rules.setResults([{ query: '', pinned: ['1'] }]))
  await refused(rules.setResults([{ pinned: any([1]) }]))
})

test('hostile words in synonyms mean nothing but themselves', async () => {
  await rules.setSynonyms([["'; drop table x; --", '__proto__', '& | !', '(a:*']])
  expect(await shaped('__proto__')).toHaveLength(1)
  await shaped("'; drop table x; --")
})

test('CJK words are searched by their pairs of characters', async () => {
  expect(await shaped('東京都 "東京都" 京', { mode: 'all' })).toEqual([
    "+'東京'; +'京都'; +'東京' <1> '京都'; +'京'",
  ])
})

test('every query has a plan whose terms PostgreSQL reads', async () => {
  await rules.setSynonyms([
    ['free', 'no charge'],
    ["o'neill", 'back\\slash'],
  ])
  const piece = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.constantFrom(
      '"',
      "'",
      '\\',
      '\0',
      '\ud800',
      '&',
      '|',
      '!',
      '<->',
      ':*',
      '*',
      '-',
      '(',
      'OR',
    ),
    fc.constantFrom(
      'free',
      "example.com/it's/here",
      "o'neill",
      'title:',
      'c++',
      "'foo",
      'http://a.b/c?d=e',
      'foo-bar*',
      ':A',
      '東京',
      '𝕗𝕣𝕖𝕖',
      'x.y.z@q',
      '-1.5e3',
      '/a/b/c',
    ),
  )
  const query = fc.array(piece, { maxLength: 20 }).map((pieces) => pieces.join(' '))
  await fc.assert(
    fc.asyncProperty(query, fc.boolean(), async (text, prefix) => {
      const { branches, excluded } = await plan(text, { prefix, mode: prefix ? 'all' : 'any' })
      const terms = [...branches.flat().flatMap(({ alternatives }) => alternatives), ...excluded]
      await pool.query('select unnest($1::text[])::tsquery', [
        terms.map(({ term }) => termQuery(term, 'AB')),
      ])
    }),
    { numRuns: 150 },
  )
})

test('a query of 10 kB is planned, and PostgreSQL reads its terms', async () => {
  const units = [
    'free ',
    'x',
    'a.b,',
    "'",
    '"free" ',
    '-free ',
    'free* ',
    '(',
    '東',
    'a-',
    '<b>',
    "example.com/it's ",
  ]
  for (const unit of units) {
    const text = unit.repeat(10_000 / unit.length)
    for (const query of [text, `${text.slice(0, 4000)}*`]) {
      const { branches } = await plan(query, { prefix: true })
      const terms = branches.flat().flatMap(({ alternatives }) => alternatives)
      await pool.query('select unnest($1::text[])::tsquery', [
        terms.map(({ term }) => termQuery(term)),
      ])
    }
  }
})
