import { Database } from '@howdah/core'
import { type TestDatabase, testDatabase } from '@howdah/testkit'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { escapeHtml } from '../src/highlight/escape-html.js'
import { type HighlightOptions, resolveHighlight } from '../src/highlight/highlight-options.js'
import { highlightPage } from '../src/highlight/highlight-page.js'
import type { Language } from '../src/language/language.js'
import type { QueryPlan } from '../src/query/query-plan.js'
import { type PlanOptions, QueryPlanner } from '../src/query/query-planner.js'
import { foldWords } from '../src/sql/fold-words.js'
import { noteWords } from '../src/sql/note-words.js'

const ENGLISH: Language = { config: { schema: 'pg_catalog', name: 'english' }, unaccent: undefined }
const FIELDS = ['title', 'body']

let database: TestDatabase
let db: Database
let planner: QueryPlanner

beforeAll(async () => {
  database = await testDatabase()
  const pool = database.pool()
  db = Database.from(pool)
  planner = new QueryPlanner(db, { id: 1, vocabulary: 1, language: ENGLISH, fields: FIELDS })
  const from = `select 'television music running' as text, 1 as sign, '' as tenant`
  await db.migrator.ensure((await import('@howdah/search')).migrations)
  await pool.query(noteWords(db.schema, { index: 1, language: ENGLISH, from }))
  await db.query(foldWords(db.schema, 1))
  const synonyms = JSON.stringify([['music', 'melody', 'sound of brass']])
  await pool.query(`insert into howdah.search_rules values (1, gen_random_uuid(), $1)`, [synonyms])
})
afterAll(async () => {
  await db.close()
  await database.close()
})

const plan = (query: string, options: Partial<PlanOptions> = {}) =>
  planner.plan(query, { mode: 'any', fuzzy: true, prefix: false, tenant: '', ...options })

async function shown(
  query: string | QueryPlan,
  row: Record<string, unknown>,
  options: HighlightOptions = {},
) {
  const resolved = resolveHighlight({ before: '[', after: ']', length: null, ...options }, FIELDS)
  const known = typeof query === 'string' ? await plan(query) : query
  const [first] = await highlightPage([row], known, resolved, planner.lexemes)
  return first ?? {}
}
const body = async (query: string, text: string, options: HighlightOptions = {}) =>
  (await shown(query, { body: text }, { fields: ['body'], ...options }))['body']

test('every form of a word is marked, by the stems of the language', async () => {
  expect(await body('run', 'Running, he RUNS; runner, ran, prune.')).toBe(
    '[Running], he [RUNS]; runner, ran, prune.',
  )
  expect(await body('the', 'the end')).toBe('the end')
})

test('corrections, synonyms and completions are marked as what they were found by', async () => {
  expect(await body('televison', 'Televisions are old')).toBe('[Televisions] are old')
  expect(await body('music', 'a melody, the sounds of the brass, a sound')).toBe(
    'a [melody], the sounds of the brass, a sound',
  )
  expect(await body('music', 'the sound of brass')).toBe('the [sound] of [brass]')
  expect(await body('mus*', 'music museums amuse')).toBe('[music] [museums] amuse')
})

test('a phrase is marked where its words stand together', async () => {
  const text = 'An account of the bank: bank account, accounts bank, Bank Accounts'
  expect(await body('"bank account"', text)).toBe(
    'An account of the bank: [bank] [account], accounts bank, [Bank] [Accounts]',
  )
  expect(await body('"account of bank"', 'account of the bank, account in bank')).toBe(
    'account of the bank, [account] in [bank]',
  )
  expect(await body('"account of the bank"', 'account of the bank, account of my own bank')).toBe(
    '[account] of the [bank], account of my own bank',
  )
})

test('what is excluded, or asked for in another field, is not marked', async () => {
  const row = { title: 'free music', body: 'free music' }
  expect(await shown('title:free -music', row)).toEqual({
    title: '[free] music',
    body: 'free music',
  })
})

test('addresses and compounds are marked as one', async () => {
  expect(await body('example.com', 'See (http://www.example.com/x, example.com).')).toBe(
    'See (http://www.example.com/x, [example.com]).',
  )
  expect(await body('wi-fi', 'Wi-Fi, wi and fi')).toBe('[Wi-Fi], [wi] and [fi]')
})

test('pairs of CJK characters are marked, those that overlap as one', async () => {
  expect(await body('東京都', '私は東京都に住む。京都')).toBe('私は[東京都]に住む。[京都]')
  expect(await body('"東京都"', '東京と京都と東京都')).toBe('東京と京都と[東京都]')
})

test('everything of a document is escaped, and marks are printed as they are', async () => {
  const text = `<script>alert('free')</script> <img src=x onerror="free()"> & &lt;free&gt;`
  const html = await body('free', text, { before: '<b class="hit">', after: '</b>' })
  expect(html).toBe(
    `&lt;script&gt;alert(&#39;<b class="hit">free</b>&#39;)&lt;/script&gt; &lt;img src=x onerror=&quot;<b class="hit">free</b>()&quot;&gt; &amp; &amp;lt;<b class="hit">free</b>&amp;gt;`,
  )
})

test('a snippet shows the passage with most of the query', async () => {
  const filler = 'lorem ipsum dolor '.repeat(30)
  const text = `free ${filler}free free free ${filler}bank account free ${filler}`
  const html = await body('free bank account', text, { length: 60 })
  expect(html).toMatch(/^….*\[bank\] \[account\] \[free\].*…$/)
  const plain = (html ?? '').replaceAll(/[[\]…]/g, '')
  expect(plain.length).toBeLessThanOrEqual(60)
  expect(text).toContain(plain)
  expect(plain.trim()).toMatch(/^\w+ .* \w+$/)
  expect(await body('free bank account', text, { length: 40, snippets: 2 })).toMatch(
    /…[^…]*\[free\] \[free\] \[free\][^…]*….*\[bank\].*…/s,
  )
  expect(await body('nowhere', text, { length: 30 })).toBe('free lorem ipsum dolor lorem…')
  expect(await body('free', 'free', { length: 30 })).toBe('[free]')
})

test('values that are no text are shown as text, and missing ones as nothing', async () => {
  const values = [42, true, null, undefined, ['a', 'free'], { a: 'free' }]
  const found = []
  for (const value of values) found.push((await shown('free', { body: value }))['body'])
  expect(found).toEqual(['42', 'true', '', '', 'a, [free]', '{&quot;a&quot;:&quot;[free]&quot;}'])
  expect((await shown('free', Object.create({ body: 'free' })))['body']).toBe('')
})

test('without its marks and escapes, the whole field is the text, whatever it holds', async () => {
  const piece = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.string({ unit: 'grapheme' }),
    fc.constantFrom(
      'free',
      'Running',
      'bank account',
      '<',
      '"',
      '&amp;',
      '東京都',
      '\ud83d',
      'e\u0301',
      '\u202e',
      'İ',
    ),
  )
  const text = fc.array(piece, { maxLength: 25 }).map((pieces) => pieces.join(' '))
  const before = '⟦'
  const after = '⟧'
  const wanted = await plan('free run "bank account" 東京 e* example.com')
  await fc.assert(
    fc.asyncProperty(
      text,
      fc.integer({ min: 1, max: 60 }),
      fc.integer({ min: 1, max: 4 }),
      async (raw, length, snippets) => {
        const sent = raw.replaceAll('\0', '').replaceAll(/[⟦⟧…]/g, '')
        const all = (await shown(wanted, { body: sent }, { before, after }))['body'] ?? ''
        expect(all.replaceAll(/[⟦⟧]/g, '')).toBe(escapeHtml(sent))
        // Marks come in pairs and are never nested.
        expect(all.replaceAll(/[^⟦⟧]/g, '')).toMatch(/^(?:⟦⟧)*$/)
        const part =
          (await shown(wanted, { body: sent }, { before, after, length, snippets }))['body'] ?? ''
        expect(part.replaceAll(/[^⟦⟧]/g, '')).toMatch(/^(?:⟦⟧)*$/)
        for (const one of part.replaceAll(/[⟦⟧]/g, '').split('…')) {
          expect(escapeHtml(sent)).toContain(one)
        }
        expect(part).not.toMatch(/[<>"']/)
        // No character was cut in two.
        if (!/\p{Surrogate}/u.test(sent)) expect(part).not.toContain('\ufffd')
      },
    ),
    { numRuns: 150 },
  )
})

test('a snippet cuts no character in two', async () => {
  for (let length = 1; length < 12; length++) {
    const html = await body('free', `${'𝕏'.repeat(50)} free ${'𝕏'.repeat(50)}`, { length })
    expect(html).not.toContain('\ufffd')
    const cjk = await body('東京', `${'𠮷'.repeat(50)}東京${'𠮷'.repeat(50)}`, { length })
    expect(cjk).toContain('東')
    expect(cjk).not.toContain('\ufffd')
  }
})

test('an enormous document is shown, looked at only in its beginning', async () => {
  const texts = [
    `free ${'x'.repeat(5_000_000)}`,
    `free ${'free '.repeat(1_000_000)}`,
    `free ${'東'.repeat(1_000_000)}`,
    `free ${'<'.repeat(1_000_000)}`,
    `free ${'a.b/'.repeat(1_000_000)}`,
    `free ${'\ud800'.repeat(1_000_000)}`,
  ]
  const wanted = await plan(`free "${'free '.repeat(500)}" example.com f* 東東`)
  const page = texts.map((text) => ({ body: text }))
  const options = resolveHighlight({ fields: ['body'] }, FIELDS)
  for (const { body: html } of await highlightPage(page, wanted, options, planner.lexemes)) {
    expect(html).toContain('<mark>free</mark>')
    expect(html?.length).toBeLessThan(5000)
  }
})

test('options that are none are refused', () => {
  const refused = (options: unknown) =>
    expect(() => resolveHighlight(options as never, FIELDS)).toThrow(
      expect.objectContaining({ code: 'SEARCH_INVALID_QUERY' }),
    )
  refused('yes')
  refused(null)
  refused({ fields: ['other'] })
  refused({ fields: 'body' })
  refused({ before: 1 })
  refused({ length: 0 })
  refused({ length: Number.NaN })
  refused({ snippets: 21 })
  expect(resolveHighlight(true, FIELDS)).toEqual({
    fields: FIELDS,
    before: '<mark>',
    after: '</mark>',
    length: 200,
    snippets: 1,
    ellipsis: '…',
  })
})
