import { Database } from '@howdah/core'
import { SearchIndex, type SearchIndexOptions } from '@howdah/search'
import { type TestDatabase, testDatabase } from '@howdah/testkit'
import fc from 'fast-check'
import type { Pool } from 'pg'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { bigrams } from '../src/language/cjk.js'
import { LANGUAGES } from '../src/language/language.js'

let database: TestDatabase
let pool: Pool
const options = (more: Partial<SearchIndexOptions> = {}): SearchIndexOptions => ({
  pool,
  table: 'note',
  key: 'id',
  fields: { text: {} },
  ...more,
})

beforeAll(async () => {
  database = await testDatabase()
  pool = database.pool()
})
beforeEach(async () => {
  await new SearchIndex('notes', options()).detach()
  await pool.query('drop table if exists note')
  await pool.query('create table note (id int primary key, text text)')
})
afterAll(() => database.close())

async function attached(texts: string[], more: Partial<SearchIndexOptions> = {}) {
  await pool.query(
    'insert into note select n, text from unnest($1::text[]) with ordinality u(text, n)',
    [texts],
  )
  const index = new SearchIndex('notes', options(more))
  await index.attach()
  return index
}
const keys = async (index: SearchIndex, query: string, mode: 'any' | 'all' = 'any') =>
  (await index.search(query, { mode })).hits.map((hit) => hit.key).sort()

test('every configuration of PostgreSQL is a language', async () => {
  const { rows } = await pool.query(
    `select cfgname::text as name from pg_ts_config where cfgnamespace = 'pg_catalog'::regnamespace`,
  )
  const installed = rows.map(({ name }) => name)
  expect(LANGUAGES).toHaveLength(29)
  expect(installed).toEqual(expect.arrayContaining([...LANGUAGES]))
  await pool.query(`insert into note values (1, 'Zanzibar 42'), (2, 'другой')`)
  for (const language of installed) {
    const index = new SearchIndex('notes', options({ language }))
    await index.rebuild()
    expect(await keys(index, 'zanzibar'), language).toEqual(['1'])
    expect(await keys(index, 'zanzibra'), language).toEqual(['1'])
    const { hits } = await index.search('zan*', { highlight: true })
    expect(hits[0]?.highlights, language).toEqual({ text: '<mark>Zanzibar</mark> 42' })
  }
}, 60_000)

test('words are stemmed and suggested by the rules of the language', async () => {
  const index = await attached(['Die Häuser der Städte', 'Haus und Hof'], { language: 'german' })
  expect(await keys(index, 'häuser')).toEqual(['1', '2'])
  expect((await index.suggest('d')).map(({ word }) => word)).toEqual([])
  expect((await index.suggest('st')).map(({ word }) => word)).toEqual(['städte'])
})

test('without unaccent an accent makes another word; with it, it does not', async () => {
  const texts = ['Un café crème', 'un cafe creme']
  const plain = await attached(texts, { language: 'simple' })
  expect(await keys(plain, 'café')).toEqual(['1'])
  await expect(
    new SearchIndex('notes', options({ language: 'simple', unaccent: true })).rebuild(),
  ).rejects.toMatchObject({ code: 'SEARCH_NO_UNACCENT' })

  await pool.query('create schema "ex ""t"; create extension unaccent schema "ex ""t"')
  const index = new SearchIndex('notes', options({ language: 'simple', unaccent: true }))
  await expect(index.search('café')).rejects.toMatchObject({ code: 'SEARCH_DEFINITION_CHANGED' })
  await index.rebuild()
  expect(await keys(index, 'café')).toEqual(['1', '2'])
  expect(await keys(index, '"CREME"')).toEqual(['1', '2'])
  expect(await keys(index, 'crém*')).toEqual(['1', '2'])
  expect((await index.search('kafé')).didYouMean).toBe('cafe')
  const { hits } = await index.search('cafe', { highlight: true })
  expect(hits.map((hit) => hit.highlights?.['text']).sort()).toEqual([
    'Un <mark>café</mark> crème',
    'un <mark>cafe</mark> creme',
  ])
  await pool.query(`insert into note values (3, 'Œuvre d''été')`)
  expect(await keys(index, 'oeuvre ete', 'all')).toEqual(['3'])
})

test('unaccent must be a boolean', () => {
  expect(() => new SearchIndex('notes', options({ unaccent: 'yes' as never }))).toThrow(
    expect.objectContaining({ code: 'SEARCH_INVALID_OPTION' }),
  )
})

test('text without spaces is found by any part of it', async () => {
  const index = await attached([
    '私は東京都に住んでいます。',
    '京都は古い町です',
    '数据库系统概论，PostgreSQL入门',
    '검색 엔진을 만들었습니다',
    '東',
  ])
  expect(await keys(index, '東京', 'all')).toEqual(['1'])
  expect(await keys(index, '東京都', 'all')).toEqual(['1'])
  expect(await keys(index, '京都')).toEqual(['1', '2'])
  expect(await keys(index, '"京都は"')).toEqual(['2'])
  expect(await keys(index, '"都京"')).toEqual([])
  expect(await keys(index, '系统', 'all')).toEqual(['3'])
  expect(await keys(index, 'postgresql', 'all')).toEqual(['3'])
  expect(await keys(index, 'PostgreSQL入门', 'all')).toEqual(['3'])
  expect(await keys(index, '엔진', 'all')).toEqual(['4'])
  expect(await keys(index, '京都 -東京')).toEqual(['2'])
  expect(await keys(index, '東*')).toEqual(['1', '5'])
  await pool.query(`update note set text = '大阪' where id = 1`)
  expect(await keys(index, '東京')).toEqual([])
  expect(await keys(index, '大阪')).toEqual(['1'])
  expect(await index.suggest('東')).toEqual([])
})

test('documents and highlights cut text into the same pairs', async () => {
  const db = Database.from(pool)
  const unit = fc.constantFrom(
    '東',
    '京',
    'あ',
    'ア',
    'ー',
    '한',
    'a',
    '1',
    ' ',
    '。',
    '𠮷',
    'é',
    '-',
  )
  await fc.assert(
    fc.asyncProperty(fc.string({ unit, maxLength: 30 }), async (text) => {
      const { rows } = await pool.query(`select ${db.schema}.search_text($1) as cut`, [text])
      expect(bigrams(rows[0].cut).map((pair) => pair.text)).toEqual(
        bigrams(text.replaceAll('。', ' ')).map((pair) => pair.text),
      )
      // Each pair stands between spaces or signs, so that the parser takes it for a word.
      expect(rows[0].cut).not.toMatch(
        /[東京あアー한𠮷]{3}|[東京あアー한𠮷][a1é]|[a1é][東京あアー한𠮷]/u,
      )
    }),
    { numRuns: 300 },
  )
})

test('a long text without spaces is indexed', async () => {
  const index = await attached(['前書き'])
  await pool.query(`insert into note values (2, repeat('東京都大阪府', 50000) || '終点')`)
  expect(await keys(index, '終点')).toEqual(['2'])
  expect((await index.stats()).errors).toEqual([])
})
