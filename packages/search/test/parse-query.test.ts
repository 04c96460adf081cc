import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseQuery } from '../src/query/parse-query.js'
import type { Clause } from '../src/query/query-tree.js'

const FIELDS = ['title', 'Body', '__proto__', 'sub title', 'constructor']
const short = ({ kind, text, field }: Clause) =>
  [kind, text, ...(field === undefined ? [] : [field])].join(' ')
const read = (query: string) => {
  const { branches, excluded } = parseQuery(query, FIELDS)
  return { branches: branches.map((branch) => branch.map(short)), excluded: excluded.map(short) }
}
const branches = (query: string) => read(query).branches

test('words, phrases, beginnings and exclusions are told apart', () => {
  expect(read('free "bank account" stu* -paid -"free trial" -pre*')).toEqual({
    branches: [['word free', 'phrase bank account', 'prefix stu']],
    excluded: ['word paid', 'phrase free trial', 'prefix pre'],
  })
})

test('OR in capitals separates branches, and is a word everywhere else', () => {
  expect(branches('a OR b c OR d')).toEqual([['word a'], ['word b', 'word c'], ['word d']])
  expect(branches('OR a OR OR b OR')).toEqual([['word a'], ['word b']])
  expect(branches('a or b')).toEqual([['word a', 'word or', 'word b']])
  expect(branches('"OR" title:OR OR*')).toEqual([['phrase OR', 'word OR title', 'prefix OR']])
  expect(read('-OR').excluded).toEqual(['word OR'])
})

test('a field is known by its name in any case, and any other colon is a part of the word', () => {
  expect(branches('title:free BODY:"a b" Title:pre* -body:x')).toEqual([
    ['word free title', 'phrase a b Body', 'prefix pre title'],
  ])
  expect(read('-body:x').excluded).toEqual(['word x Body'])
  expect(branches('http://a.b/c 10:30 other:free title: title::')).toEqual([
    ['word http://a.b/c', 'word 10:30', 'word other:free', 'word title:'],
  ])
  expect(branches('__proto__:x constructor:y toString:z')).toEqual([
    ['word x __proto__', 'word y constructor', 'word toString:z'],
  ])
})

test('quotes may be those of phones, need no end, and inside a word are a part of it', () => {
  expect(branches('“free trial” „gratis” «essai»')).toEqual([
    ['phrase free trial', 'phrase gratis', 'phrase essai'],
  ])
  expect(branches('"free trial')).toEqual([['phrase free trial']])
  expect(branches('"a"b 5" "" " "')).toEqual([['phrase a', 'word b', 'word 5"']])
})

test('of many beginnings the first eight are beginnings, and of many words 400 are read', () => {
  const kinds = parseQuery('a* '.repeat(10), []).branches[0]?.map(({ kind }) => kind)
  expect(kinds).toEqual([...Array(8).fill('prefix'), 'word', 'word'])
  expect(parseQuery('-a b '.repeat(500), []).excluded).toHaveLength(200)
})

test('signs that mean nothing are passed over', () => {
  expect(read(' - * -- -* "" -"" & | ! () <-> :* -- ')).toEqual({ branches: [], excluded: [] })
  expect(read('--verbose')).toEqual({ branches: [['word --verbose']], excluded: [] })
})

test('what was read has neither NUL nor lone surrogates, and stands where it is said to', () => {
  const { text, branches: found } = parseQuery('a\0b \ud800c "d e" 𝕗x*', [])
  expect(text).toBe('a b  c "d e" 𝕗x*')
  for (const clause of found.flat()) {
    expect(text.slice(clause.at, clause.at + clause.text.length)).toBe(clause.text)
  }
})

const piece = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.constantFrom('"', '-', '*', ':', 'OR', 'title:', '\0', '\ud800', '“', "'", '\\', ' ', 'x'),
)

test('every text is a query of bounded size', () => {
  fc.assert(
    fc.property(
      fc.array(piece).map((pieces) => pieces.join('')),
      (query) => {
        const tree = parseQuery(query, FIELDS)
        const clauses = [...tree.branches.flat(), ...tree.excluded]
        expect(clauses.length).toBeLessThanOrEqual(400)
        for (const { text, at } of clauses) {
          expect(tree.text.slice(at, at + text.length)).toBe(text)
          expect(text).toMatch(/[^\s]/)
          expect(text).not.toMatch(/\p{Surrogate}/u)
          expect(text).not.toContain('\0')
        }
      },
    ),
    { numRuns: 2000 },
  )
})

test('no text takes much longer than plain words of its length', () => {
  const fields = ['a'.repeat(63)]
  const time = (unit: string) => {
    const query = unit.repeat(4096 / unit.length)
    const start = process.cpuUsage().user
    for (let n = 0; n < 100; n++) parseQuery(query, fields)
    return process.cpuUsage().user - start
  }
  time('word ')
  const plain = time('word ') + 1000
  for (const unit of ['""', '"', 'a', '-', '*', 'a:', ' ', '"a" ', 'a* ', '- ', '“', ':', '-"']) {
    // Looking once more at the rest of the query from each place would take a hundred times as long.
    expect(time(unit) / plain, unit).toBeLessThan(20)
  }
})
