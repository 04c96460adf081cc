import {
  type SearchSubject,
  type SearchUnderTest,
  searchConformance,
  type TestDatabase,
  testDatabase,
} from '@howdah/testkit'
import type { Pool } from 'pg'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { subjectOf } from './conformance-support.js'

// Texts of a megabyte take their time on a busy machine.
vi.setConfig({ testTimeout: 120_000 })

let database: TestDatabase
let pools: [Pool, Pool]
beforeAll(async () => {
  database = await testDatabase()
  pools = [database.pool(), database.pool()]
})
afterAll(() => database.close())

/** Take long, and have nothing to do with what is broken here. */
const LEFT_OUT = [
  'fails no write, however long or odd the text',
  'answers every query, whatever it holds',
]

/** Runs the suite by itself and answers the names of the tests that fail. */
async function failures(
  engine: 'native' | 'tsvector',
  breakIt: (
    index: SearchUnderTest,
    subject: SearchSubject,
  ) => Partial<SearchUnderTest> = () => ({}),
): Promise<string[]> {
  const tests: { readonly name: string; body(): Promise<void> }[] = []
  searchConformance(
    { describe: (_, body) => body(), it: (name, body) => tests.push({ name, body }) },
    () => {
      const made = subjectOf(pools[0], pools, engine)
      const { subject } = made
      const index: SearchSubject['index'] = (...asked) => {
        const whole = subject.index(...asked)
        const broken = breakIt(whole, subject)
        return new Proxy(whole, {
          get: (target, name: keyof SearchUnderTest) => {
            if (Object.hasOwn(broken, name)) return broken[name]
            const member = target[name]
            return typeof member === 'function' ? member.bind(target) : member
          },
        })
      }
      return { ...made, subject: { ...subject, index } }
    },
  )
  const failed: string[] = []
  for (const { name, body } of tests) {
    if (!LEFT_OUT.includes(name)) await body().catch(() => failed.push(name))
  }
  return failed
}

/** Attaches, and then changes the text of the function that finds rows. */
const changed = (from: RegExp, to: string) => (index: SearchUnderTest, subject: SearchSubject) => ({
  async attach() {
    await index.attach()
    const [row] = await subject.query(`select oid, pg_get_functiondef(oid) as text from pg_proc
        where proname like 'search_do_match_%' order by oid desc limit 1`)
    const text = String(row?.['text'])
    // Of several that attach at once, one does it.
    if (from.test(text)) await subject.query(text.replace(from, to)).catch(() => {})
  },
})

test('an engine that is whole fails nothing', async () => {
  expect(await failures('tsvector')).toEqual([])
})

test('an engine that forgets the transaction is found', async () => {
  const broken = await failures('native', (index) => ({
    search: (query, { client: _, ...options } = {}) => index.search(query, options),
  }))
  expect(broken).toEqual(['shows a writer its own writes, and nobody else before the commit'])
})

test('an engine that forgets what is excluded is found', async () => {
  const broken = await failures('tsvector', changed(/not r\.\S+ @@ unwanted/, 'true'))
  expect(broken).toEqual(['leaves out what is excluded, also from a list of everything'])
})

test('an engine that takes all rows for equally long is found', async () => {
  const broken = await failures('tsvector', changed(/\* r\.\S+ \/ mean/, '* 1'))
  expect(broken).toEqual([
    'ranks as BM25 does over every row, after writes too',
    'ranks by the heavier field, the rarer word and the shorter row',
  ])
})

test('an engine that leaves a column behind is found', async () => {
  const broken = await failures('tsvector', (index, subject) => ({
    async detach() {
      await index.detach()
      await subject.query(`alter table if exists conformance_offer
        add column if not exists howdah_search_000000000000_1_document tsvector`)
    },
  }))
  expect(broken).toEqual(['leaves nothing behind when it is removed, and the table as it was'])
})
