import assert from 'node:assert/strict'
import type { SearchIt } from './search-index.js'
import { attached, found, insert, keys, OFFERS } from './search-table.js'

/** Queries that statements, patterns and parsers break on. */
const HOSTILE_QUERIES: readonly string[] = [
  '"',
  '"unfinished',
  '-',
  '--',
  '*',
  '**',
  ':',
  'title:',
  ':music',
  'title:"',
  'a & b | !c <-> d',
  "'; drop table conformance_offer; --",
  '$1 $2 %L %s',
  '\\',
  "\\'",
  '(((((((((',
  ')]}',
  '{a,b}',
  'NULL',
  '\u0001cut',
  '\u0001*',
  '\ud800',
  'NUL \0 NUL',
  '☃ 🐘',
  '(a+)+$',
  'x'.repeat(5_000),
  'free '.repeat(2_000),
  '" " "'.repeat(500),
  `${'-'.repeat(500)}free`,
  Array.from({ length: 300 }, (_, n) => `w${n}*`).join(' '),
]

/** What a query finds. */
export function declareFinding(it: SearchIt): void {
  it('finds any of the words, all of them, or as many as are asked for', async (subject) => {
    const index = await attached(subject)
    assert.deepEqual(await found(index, 'music shoes'), ['1', '2', '3'])
    assert.deepEqual(await found(index, 'free music trial', { mode: 'all' }), ['1'])
    assert.deepEqual(await found(index, 'free music trial', { minimumMatch: 2 }), ['1', '3', '4'])
    assert.deepEqual(await found(index, 'free music trial', { minimumMatch: 9 }), ['1'])
    assert.deepEqual(await found(index, 'free music OR shoes', { mode: 'all' }), ['1', '2', '3'])
    assert.deepEqual(await found(index, 'runner'), ['2'])
    assert.deepEqual(await found(index, 'the'), [])
    assert.deepEqual(await found(index, 'absent'), [])
  })

  it('finds phrases, and words in a field', async (subject) => {
    const index = await attached(subject)
    assert.deepEqual(await found(index, '"bank account"'), ['3'])
    assert.deepEqual(await found(index, '"account bank"'), [])
    assert.deepEqual(await found(index, '"free bank" shoes'), ['3'])
    assert.deepEqual(await found(index, 'title:music'), ['1'])
    assert.deepEqual(await found(index, 'body:music'), ['1', '3'])
    assert.deepEqual(await found(index, 'title:"bank account"'), ['3'])
  })

  it('leaves out what is excluded, also from a list of everything', async (subject) => {
    const index = await attached(subject)
    assert.deepEqual(await found(index, 'free -music'), ['4'])
    assert.deepEqual(await found(index, 'free -"bank account"'), ['1', '4'])
    assert.deepEqual(await found(index, '-free'), ['2', '5'])
    assert.deepEqual(await found(index, '-stud*'), ['2', '3', '4'])
    assert.deepEqual(await found(index, 'bank -stud*'), ['3'])
  })

  it('finds words by their beginning', async (subject) => {
    const index = await attached(subject)
    await index.maintain()
    assert.deepEqual(await found(index, 'stud*'), ['1', '5'])
    assert.deepEqual(await found(index, 'acc', { prefix: true }), ['3'])
    if (!subject.capabilities.has('beginnings')) return
    await insert(subject, [{ id: 6, title: 'Studio', body: 'xylophones' }])
    assert.deepEqual(await found(index, 'xyl*'), ['6'])
    const words = Array.from({ length: 200 }, (_, n) => `zz${n}q`)
    await insert(
      subject,
      words.map((title, n) => ({ id: 100 + n, title, body: null })),
    )
    assert.equal((await index.search('zz*')).total, 200)
  })

  it('corrects and completes words', async (subject) => {
    const index = await attached(subject)
    await index.maintain()
    const mistyped = await index.search('acount')
    assert.deepEqual(
      mistyped.hits.map(({ key }) => key),
      ['3'],
    )
    assert.equal(mistyped.didYouMean, 'account')
    assert.deepEqual(await found(index, 'acount', { fuzzy: false }), [])
    assert.deepEqual(
      (await index.suggest('free mu')).map(({ text }) => text),
      ['free music'],
    )
    await subject.query('delete from conformance_offer where id = 3')
    await index.maintain()
    assert.deepEqual(await found(index, 'acount'), [])
  })

  it('lists everything for an empty query, in the order of the index', async (subject) => {
    const index = await attached(subject)
    assert.deepEqual(await keys(index, ''), ['1', '3', '4', '2', '5'])
    assert.equal((await index.search('', { limit: 0 })).total, 5)
  })

  it('filters, counts and sorts on the rows as they are now', async (subject) => {
    const index = await attached(subject)
    const { total, hits, facets } = await index.search('free', {
      filters: { category: ['audio', 'video'] },
      facets: ['category', 'tags'],
      sort: ['price'],
    })
    assert.equal(total, 2)
    assert.deepEqual(
      hits.map(({ key }) => key),
      ['1', '4'],
    )
    assert.deepEqual(facets['tags'], [
      { value: 'new', count: 2 },
      { value: 'music', count: 1 },
      { value: 'video', count: 1 },
    ])
    assert.deepEqual(await found(index, '', { filters: { category: null } }), ['5'])
    assert.deepEqual(await found(index, 'bank', { filters: { price: 0 } }), ['3'])
    await subject.query(
      `update conformance_offer set category = 'video', price = 1 where category = 'audio'`,
    )
    assert.deepEqual(await found(index, 'music', { filters: { category: 'video', price: 1 } }), [
      '1',
    ])
    assert.deepEqual(await keys(index, 'free', { sort: ['price'] }), ['3', '1', '4'])
  })

  it('pages through the whole result, each row once', async (subject) => {
    const rows = Array.from({ length: 60 }, (_, n) => ({
      id: n,
      title: `word ${'other '.repeat(n % 7)}`,
      body: null,
    }))
    const index = await attached(subject, rows)
    const pages: string[] = []
    for (let offset = 0; offset < 60; offset += 7) {
      const { total, hits } = await index.search('word', { limit: 7, offset })
      assert.equal(total, 60)
      pages.push(...hits.map(({ key }) => key))
    }
    assert.equal(new Set(pages).size, 60)
  })

  it('pins and hides results', async (subject) => {
    const index = await attached(subject)
    await index.rules.setResults([{ query: 'music', pinned: ['2'], hidden: ['3'] }])
    const { total, hits } = await index.search('music')
    assert.equal(total, 2)
    assert.deepEqual(
      hits.map(({ key }) => key),
      ['2', '1'],
    )
    assert.deepEqual(await found(index, 'music trial'), ['1', '3', '4'])
  })

  it('answers the live row, nothing of its own in it, with what was found marked', async (subject) => {
    const index = await attached(subject)
    const [hit] = (await index.search('shoes', { highlight: true })).hits
    const { tags = [], ...offer } = OFFERS[1] as (typeof OFFERS)[number]
    assert.deepEqual(hit?.row, { ...offer, tags })
    assert.equal(hit?.highlights?.['title'], 'Running <mark>shoes</mark>')
  })

  it('answers every query, whatever it holds', async (subject) => {
    const index = await attached(subject)
    for (const query of HOSTILE_QUERIES) {
      const { total, hits } = await index.search(query)
      assert.ok(total >= hits.length, query.slice(0, 50))
      await index.search(query, { mode: 'all', prefix: true, highlight: true })
      await index.suggest(query)
    }
    assert.equal((await subject.query('select * from conformance_offer')).length, 5)
  })
}
