import assert from 'node:assert/strict'
import type { SearchIt, SearchSubject, SearchUnderTest } from './search-index.js'
import { attached, fresh, insert, NAME, type Offer } from './search-table.js'

/** Weights of the fields; whole numbers, which every engine knows. */
const WEIGHTS = { title: 3, body: 1 }
/**
 * How far a score may be from the exact one where the engine does not promise it: a length that is rounded to one of few is off by some percent. Of the two scores that stand
 * in the wrong order both may be.
 */
const TOLERANCE = 0.1

interface Scored {
  readonly key: string
  readonly score: number
}

/** How rows are ranked. */
export function declareRanking(it: SearchIt): void {
  it('ranks as BM25 does over every row, after writes too', async (subject) => {
    const next = random(5)
    const rows = new Map(
      Array.from({ length: 250 }, (_, id): [string, Offer] => [String(id), offer(id, next)]),
    )
    const index = await ranked(subject, [...rows.values()])
    await compareSome(subject, index, rows, next)
    const added = Array.from({ length: 40 }, (_, at) => offer(1000 + at, next))
    await insert(subject, added)
    for (const one of added) rows.set(String(one.id), one)
    for (let id = 0; id < 30; id++) {
      const { title, body } = offer(id, next)
      rows.set(String(id), { id, title, body })
      await subject.query('update conformance_offer set title = $2, body = $3 where id = $1', [
        id,
        title,
        body,
      ])
    }
    await subject.query('delete from conformance_offer where id between 30 and 59')
    for (let id = 30; id < 60; id++) rows.delete(String(id))
    // Engines that count dead rows do so until a vacuum.
    if (!subject.capabilities.has('exactScores')) await subject.query('vacuum conformance_offer')
    await compareSome(subject, index, rows, next)
    await index.maintain()
    await compareSome(subject, index, rows, next)
  })

  it('ranks by the heavier field, the rarer word and the shorter row', async (subject) => {
    const filler = Array.from({ length: 30 }, (_, n) => ({
      id: 100 + n,
      title: 'common',
      body: 'words and words',
    }))
    const index = await attached(subject, [
      ...filler,
      { id: 1, title: 'needle', body: 'hay' },
      { id: 2, title: 'hay', body: 'needle' },
      { id: 3, title: 'straw', body: `thread ${'hay '.repeat(40)}` },
      { id: 4, title: 'straw', body: 'thread' },
      { id: 5, title: 'rarity', body: 'hay' },
    ])
    const order = async (query: string) =>
      (await index.search(query, { limit: 3 })).hits.map(({ key }) => key)
    assert.deepEqual(await order('needle'), ['1', '2'])
    assert.deepEqual(await order('thread'), ['4', '3'])
    assert.equal((await order('common rarity'))[0], '5')
  })

  it('refuses a weight that it does not know, when the index is made', async (subject) => {
    const make = () =>
      subject.index(NAME, {
        table: 'conformance_offer',
        key: 'id',
        fields: { title: { weight: 1.5 }, body: {} },
      })
    if (subject.capabilities.has('anyWeight')) make()
    else assert.throws(make, { code: 'SEARCH_UNSUPPORTED' })
  })
}

async function ranked(subject: SearchSubject, rows: readonly Offer[]): Promise<SearchUnderTest> {
  await fresh(subject, rows)
  const index = subject.index(NAME, {
    table: 'conformance_offer',
    key: 'id',
    fields: { title: { weight: WEIGHTS.title }, body: { weight: WEIGHTS.body } },
    language: 'simple',
  })
  await index.attach()
  return index
}

async function compareSome(
  subject: SearchSubject,
  index: SearchUnderTest,
  rows: ReadonlyMap<string, Offer>,
  next: () => number,
): Promise<void> {
  for (let round = 0; round < 12; round++) {
    const words = Array.from({ length: 1 + Math.floor(next() * 4) }, () => word(next))
    const query = [...new Set(words)]
    const expected = bruteForce(rows, query)
    const { total, hits } = await index.search(query.join(' '), { limit: 500, fuzzy: false })
    assert.equal(total, expected.length, `total of ${query}`)
    const truth = new Map(expected.map(({ key, score }) => [key, score]))
    const exact = subject.capabilities.has('exactScores')
    let before = Number.POSITIVE_INFINITY
    for (const { key, score } of hits) {
      const own = truth.get(key) ?? Number.NaN
      if (exact) assert.ok(Math.abs(score - own) < 1e-9, `${query}: score of ${key}`)
      const least = exact ? 1e-9 : own * TOLERANCE
      assert.ok(own <= before + least, `${query}: ${key} stands too low`)
      before = Math.min(before, own)
    }
    assert.equal(new Set(hits.map(({ key }) => key)).size, expected.length)
  }
}

/** BM25 over weighted fields as the textbook has it. */
function bruteForce(rows: ReadonlyMap<string, Offer>, query: readonly string[]): Scored[] {
  const documents = [...rows].map(([key, row]) => {
    const counts = new Map<string, number>()
    let length = 0
    for (const [field, weight] of Object.entries(WEIGHTS)) {
      for (const one of (row[field as 'title'] ?? '').split(' ').filter(Boolean)) {
        counts.set(one, (counts.get(one) ?? 0) + weight)
        length += weight
      }
    }
    return { key, counts, length }
  })
  const mean = documents.reduce((sum, { length }) => sum + length, 0) / documents.length
  const scored = documents.map(({ key, counts, length }) => {
    let score = 0
    for (const one of query) {
      const having = documents.filter((other) => other.counts.has(one)).length
      const count = counts.get(one) ?? 0
      const idf = Math.log(1 + (documents.length - having + 0.5) / (having + 0.5))
      score += (idf * count * 2.2) / (count + 1.2 * (0.25 + (0.75 * length) / mean))
    }
    return { key, score }
  })
  return scored.filter(({ score }) => score > 0).sort((a, b) => b.score - a.score)
}

function offer(id: number, next: () => number): Offer {
  const text = (most: number) =>
    Array.from({ length: Math.floor(next() * most) }, () => word(next)).join(' ')
  return { id, title: text(6), body: text(60) }
}

/** A word of a vocabulary in which few are frequent and most are rare. */
function word(next: () => number): string {
  return `w${Math.floor(150 ** next())}x`
}

function random(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}
