import type { TransactionHandle } from '@howdah/core'
import type { Lexemes } from '../language/lexemes.js'
import type { QueryPlan } from '../query/query-plan.js'
import type { AnalysisRow } from '../sql/analyze-texts.js'
import { chooseSnippets, type Span } from './choose-snippets.js'
import { escapeHtml } from './escape-html.js'
import {
  findMatches,
  type Match,
  merged,
  needsChunks,
  type Words,
  wantedIn,
  wordsOfPhrase,
} from './find-matches.js'
import type { ResolvedHighlight } from './highlight-options.js'
import { chunksOf, wordsOf } from './words.js'

/** Characters of a field, and of a page, in which matches are looked for: an enormous document costs no more than a large one. */
const MAX_FIELD = 100_000
const MAX_PAGE = 2_000_000

/** A field of a hit with the words that were looked at. */
interface Looked extends Words {
  readonly field: string
  readonly text: string
}

/**
 * Shows the fields of a page of hits as HTML: escaped, with marks around what the query found, be it typed, corrected, a synonym or the
 * completion of a beginning. Which words have the lexemes that were searched PostgreSQL says, in one statement for what is not known.
 *
 * @param page - for each hit its row
 */
export async function highlightPage(
  page: readonly Readonly<Record<string, unknown>>[],
  plan: QueryPlan,
  options: ResolvedHighlight,
  lexemes: Lexemes,
  client?: TransactionHandle,
): Promise<Record<string, string>[]> {
  const chunks = needsChunks(plan)
  let left = plan.branches.length === 0 ? 0 : MAX_PAGE
  const looked = page.map((row) =>
    options.fields.map((field): Looked => {
      const text = textOf(Object.hasOwn(row, field) ? row[field] : null)
      const part = text.slice(0, Math.min(MAX_FIELD, left))
      left -= part.length
      return { field, text, words: wordsOf(part), chunks: chunks ? chunksOf(part) : [] }
    }),
  )
  const asked = new Set<string>()
  for (const { words, chunks: more } of looked.flat()) {
    for (const { pair, text } of words) if (!pair) asked.add(text)
    for (const { text } of more) asked.add(text)
  }
  const analyses = await lexemes.of(asked, client)
  return looked.map((fields) => show(fields, plan, options, analyses))
}

function show(
  fields: readonly Looked[],
  plan: QueryPlan,
  options: ResolvedHighlight,
  analyses: ReadonlyMap<string, AnalysisRow>,
): Record<string, string> {
  const found = fields.map((looked) => {
    const wanted = wantedIn(plan, looked.field)
    return { looked, wanted, matches: findMatches(looked, wanted, analyses) }
  })
  const seen = new Set(found.flatMap(({ matches }) => matches.map(({ group }) => group)))
  return Object.fromEntries(
    found.map(({ looked, wanted, matches }) => {
      // A phrase that is nowhere in the row as we count words is there as the parser does.
      const missed = wanted.filter(({ term, group }) => term.kind === 'phrase' && !seen.has(group))
      const words = missed.flatMap(wordsOfPhrase)
      const more = words.length === 0 ? [] : findMatches(looked, words, analyses)
      return [looked.field, render(looked.text, merged([...matches, ...more]), options)]
    }),
  )
}

function render(text: string, matches: readonly Match[], options: ResolvedHighlight): string {
  const { length, snippets, ellipsis } = options
  const spans: readonly Span[] =
    length === undefined
      ? [{ from: 0, to: text.length }]
      : chooseSnippets(text, matches, length, snippets)
  let html = ''
  for (const [at, span] of spans.entries()) {
    if (at > 0 ? spans[at - 1]?.to !== span.from : span.from > 0) html += ellipsis
    html += marked(text, span, matches, options)
  }
  return (spans.at(-1)?.to ?? 0) < text.length ? html + ellipsis : html
}

function marked(
  text: string,
  { from, to }: Span,
  matches: readonly Match[],
  { before, after }: ResolvedHighlight,
): string {
  let html = ''
  let at = from
  for (const match of matches) {
    const start = Math.max(from, match.from)
    const end = Math.min(to, match.to)
    if (start >= end) continue
    html += `${escapeHtml(text.slice(at, start))}${before}${escapeHtml(text.slice(start, end))}${after}`
    at = end
  }
  return html + escapeHtml(text.slice(at, to))
}

/** A column's value as text: what `to_jsonb` makes of it. */
function textOf(value: unknown): string {
  if (value === null || value === undefined) return ''
  if (typeof value === 'string') return value
  if (Array.isArray(value)) return value.map(textOf).join(', ')
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}
