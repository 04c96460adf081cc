import { Database } from '@howdah/core'
import { SearchIndex } from '@howdah/search'
import { type TestDatabase, testDatabase } from '@howdah/testkit'
import fc from 'fast-check'
import type { Pool } from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Group, QueryPlan, Term } from '../src/query/query-plan.js'
import { QueryPlanner } from '../src/query/query-planner.js'
import { random } from './brute-force.js'

const WEIGHTS = { title: 2.5, body: 1 }
const LIMIT = 10
const SYLLABLES = ['ka', 'mo', 'ti', 'ru', 'se', 'lan', 'pir', 'dov', 'gum']

interface Document {
  readonly title: readonly string[]
  readonly body: readonly string[]
}

let database: TestDatabase
let pool: Pool
let db: Database
let index: SearchIndex
let planner: QueryPlanner
const documents = new Map<string, Document>()
const next = random(5)

beforeAll(async () => {
  database = await testDatabase()
  pool = database.pool()
  db = Database.from(pool)
  await pool.query('create table doc (id int primary key, title text, body text, kind int)')
  await insert(1, 5000)
  index = new SearchIndex('plans', {
    pool,
    table: 'doc',
    key: 'id',
    fields: { title: { weight: WEIGHTS.title }, body: {} },
    filters: ['kind'],
    facets: ['kind'],
    language: 'simple',
  })
  await index.attach()
  await index.rules.setSynonyms([
    [word(3), word(40)],
    { from: [word(2)], to: [`${word(1)} ${word(0)}`] },
  ])
  const { rows } = await pool.query('select index_id, vocabulary from howdah.search_generation')
  const language = { config: { schema: 'pg_catalog', name: 'simple' }, unaccent: undefined }
  const { index_id: id, vocabulary } = rows[0]
  planner = new QueryPlanner(db, { id, vocabulary, language, fields: ['title', 'body'] })
})
afterAll(async () => {
  await index.close()
  await database.close()
})

/** The words in the order of how frequent they are: of two to four syllables. */
function word(rank: number): string {
  let text = ''
  for (let left = rank + SYLLABLES.length; left > 0; left = Math.floor(left / SYLLABLES.length)) {
    text = `${SYLLABLES[left % SYLLABLES.length]}${text}`
  }
  return text
}

function words(most: number): string[] {
  const length = Math.floor(next() * most)
  return Array.from({ length }, () => word(Math.floor(500 ** next())))
}

async function insert(first: number, count: number): Promise<void> {
  const rows = Array.from({ length: count }, (_, at) => {
    const document = { title: words(5), body: words(25) }
    documents.set(String(first + at), document)
    const [title, body] = [document.title.join(' '), document.body.join(' ')]
    return { id: first + at, title, body, kind: (first + at) % 3 }
  })
  await pool.query('insert into doc select * from json_populate_recordset(null::doc, $1)', [
    JSON.stringify(rows),
  ])
}

function has({ title, body }: Document, term: Term, field: string | undefined): boolean {
  const labelled = [
    ...title.map((one) => [one, 'title']),
    ...body.map((one) => [one, 'body']),
  ] as const
  const inField = (at: number, lexemes: readonly string[], prefix = false) => {
    const [one, of] = labelled[at] ?? []
    if (one === undefined || (field !== undefined && of !== field)) return false
    return lexemes.some((lexeme) => (prefix ? one.startsWith(lexeme) : one === lexeme))
  }
  return labelled.some((_, at) => {
    if (term.kind !== 'phrase') return inField(at, [term.lexeme], term.kind === 'prefix')
    return term.steps.every((step) => inField(at + step.at, step.lexemes))
  })
}

const satisfies = (document: Document, { alternatives, field }: Group) =>
  alternatives.some(({ term }) => has(document, term, field))
const isBeginning = ({ alternatives }: Group) =>
  alternatives.some(({ term }) => term.kind === 'prefix')

/** What a plan says that a search finds, over every document. */
function bruteForce(plan: QueryPlan, minimum: number): { key: string; score: number }[] {
  const all = [...documents]
  const lengthOf = ({ title, body }: Document) => WEIGHTS.title * title.length + body.length
  const mean = all.reduce((sum, [, document]) => sum + lengthOf(document), 0) / all.length
  const rarity = (found: number) => Math.log(1 + (all.length - found + 0.5) / (found + 0.5))
  const known = new Map<string, number>()
  const rarityOf = (key: string, which: (document: Document) => boolean) => {
    const value = known.get(key) ?? rarity(all.filter(([, document]) => which(document)).length)
    known.set(key, value)
    return value
  }
  const scoreOf = (document: Document, lexeme: string) => {
    const times = (list: readonly string[]) => list.filter((one) => one === lexeme).length
    const count = WEIGHTS.title * times(document.title) + times(document.body)
    if (count === 0) return 0
    const norm = 1.2 * (0.25 + (0.75 * lengthOf(document)) / mean)
    const term = { kind: 'word', lexeme } as const
    return (rarityOf(lexeme, (one) => has(one, term, undefined)) * 2.2 * count) / (count + norm)
  }
  const groupScore = (document: Document, group: Group) => {
    const anywhere = { ...group, field: undefined }
    if (isBeginning(group)) {
      const weight = rarityOf(JSON.stringify(anywhere), (one) => satisfies(one, anywhere))
      return satisfies(document, anywhere) ? weight : 0
    }
    return group.alternatives.reduce((sum, { term, weight }) => {
      const lexemes = term.kind === 'phrase' ? term.steps.flatMap((s) => s.lexemes) : [term.lexeme]
      return sum + weight * lexemes.reduce((part, lexeme) => part + scoreOf(document, lexeme), 0)
    }, 0)
  }
  const matches = (document: Document) =>
    plan.branches.some((groups) => {
      const required = groups.filter((group) => group.required)
      if (required.length > 0) return required.every((group) => satisfies(document, group))
      const units = new Map(groups.map((group) => [JSON.stringify(group.alternatives), group]))
      const need = plan.branches.length === 1 ? Math.min(minimum, units.size) : 1
      const found = [...units.values()].filter((group) => satisfies(document, group)).length
      return found >= need
    }) && !plan.excluded.some(({ term, field }) => has(document, term, field))
  return all
    .filter(([, document]) => matches(document))
    .map(([key, document]) => ({
      key,
      score: plan.branches.flat().reduce((sum, group) => sum + groupScore(document, group), 0),
    }))
    .sort((a, b) => b.score - a.score || (a.key < b.key ? -1 : 1))
}

const rank = fc.nat({ max: 550 }).map((n) => Math.floor(n ** 2 / 550))
const piece = fc.oneof(
  { weight: 4, arbitrary: rank.map(word) },
  rank.map((n) => `${word(n).slice(0, -1)}x`),
  rank.map((n) => `${word(n)}${word(n)[0]}`),
  fc.tuple(rank, fc.nat()).map(([, at]) => {
    const { body } = [...documents.values()][at % documents.size] as Document
    return `"${body.slice(0, 2).join(' ')}"`
  }),
  rank.map((n) => `-${word(n)}`),
  rank.map((n) => `title:${word(n)}`),
  rank.map((n) => `${word(n).slice(0, 4)}*`),
  fc.constant('OR'),
)
const query = fc.array(piece, { minLength: 1, maxLength: 5 }).map((pieces) => pieces.join(' '))

async function compare(runs: number): Promise<void> {
  await fc.assert(
    fc.asyncProperty(
      query,
      fc.constantFrom('any' as const, 'all' as const),
      fc.constantFrom(1, 1, 2),
      fc.boolean(),
      async (text, mode, minimumMatch, prefix) => {
        const options = { mode, prefix, fuzzy: true }
        const plan = await planner.plan(text, { ...options, tenant: '' })
        if (plan.blank) return
        const expected = bruteForce(plan, minimumMatch)
        const asked = { ...options, minimumMatch, limit: LIMIT }
        const { total, hits } = await index.search(text, asked)
        expect(total).toBe(expected.length)
        expect(hits).toHaveLength(Math.min(LIMIT, expected.length))
        for (const [at, { key, score }] of hits.entries()) {
          expect(Math.abs(score - (expected[at]?.score ?? Number.NaN))).toBeLessThan(1e-9)
          const same = expected.filter((one) => Math.abs(one.score - score) < 1e-9)
          expect(same.map((one) => one.key)).toContain(key)
        }
        // The way that looks at every match says the same.
        const kinds = { ...asked, filters: { kind: [0, 1, 2] }, facets: ['kind'] }
        const looked = await index.search(text, kinds)
        expect(looked.total).toBe(total)
        expect(looked.hits.map(({ score }) => score.toFixed(9))).toEqual(
          hits.map(({ score }) => score.toFixed(9)),
        )
      },
    ),
    { numRuns: runs },
  )
}

test('what is found, and its scores, are those of the plan over every row', async () => {
  await compare(60)
}, 60_000)

test('they still are with rows that are in no segment, and with rows that are gone', async () => {
  await insert(5001, 300)
  await pool.query('delete from doc where id % 7 = 0')
  for (const key of [...documents.keys()]) if (Number(key) % 7 === 0) documents.delete(key)
  // A query that is planned twice must be understood the same.
  await expect
    .poll(async () => (await pool.query('select from howdah.search_word_log')).rowCount, {
      timeout: 20_000,
    })
    .toBe(0)
  await compare(60)
}, 60_000)
