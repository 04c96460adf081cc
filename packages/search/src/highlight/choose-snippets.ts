import type { Match } from './find-matches.js'

/** A piece of a text to show. */
export interface Span {
  readonly from: number
  readonly to: number
}

/** How far a snippet's edge may move to stand between words. */
const EDGE = 30

/**
 * Chooses the passages of a text that show most of the query: first by how many of its words are there, then by how often. Without
 * matches it is the beginning.
 *
 * @param matches - in order, none overlapping another
 */
export function chooseSnippets(
  text: string,
  matches: readonly Match[],
  length: number,
  count: number,
): Span[] {
  if (text.length <= length) return [{ from: 0, to: text.length }]
  const cores: Span[] = []
  let left = matches
  while (cores.length < count && left.length > 0) {
    const core = bestCore(left, length)
    cores.push(core)
    left = left.filter(({ from, to }) => to <= core.from - length || from >= core.to + length)
  }
  if (cores.length === 0) cores.push({ from: 0, to: 0 })
  const spans = cores.map((core) => around(text, core, length)).sort((a, b) => a.from - b.from)
  return joined(spans)
}

/** The window of at most the length, from one match to another, that shows most. */
function bestCore(matches: readonly Match[], length: number): Span {
  const groups = new Map<number, number>()
  let best = { from: 0, to: 0, score: -1 }
  let last = 0
  for (const [first, { from, group }] of matches.entries()) {
    for (; last < matches.length; last++) {
      const next = matches[last] as Match
      if (last > first && next.to - from > length) break
      groups.set(next.group, (groups.get(next.group) ?? 0) + 1)
    }
    const score = groups.size * 1000 + Math.min(999, last - first)
    if (score > best.score) {
      const to = Math.min((matches[last - 1] as Match).to, from + length)
      best = { from, to, score }
    }
    const left = (groups.get(group) ?? 0) - 1
    if (left > 0) groups.set(group, left)
    else groups.delete(group)
  }
  return best
}

/** Widens a passage to the length, with as much before as after, and moves its edges to stand between words. */
function around(text: string, core: Span, length: number): Span {
  const room = length - (core.to - core.from)
  const start = Math.max(0, Math.min(core.from - (room >> 1), text.length - length))
  const end = Math.min(text.length, start + length)
  return { from: startOfWord(text, start, core.from), to: endOfWord(text, end, core.to) }
}

function startOfWord(text: string, start: number, most: number): number {
  if (start === 0) return 0
  for (let at = start; at <= Math.min(most, start + EDGE); at++) {
    if (/\s/.test(text.charAt(at - 1))) return at
  }
  return isHalf(text, start) ? start - 1 : start
}

function endOfWord(text: string, end: number, least: number): number {
  if (end === text.length) return end
  for (let at = end; at >= Math.max(least, end - EDGE); at--) {
    if (/\s/.test(text.charAt(at))) return at
  }
  return isHalf(text, end) ? end + 1 : end
}

/** Whether a place stands inside a pair of surrogates. */
function isHalf(text: string, at: number): boolean {
  return /[\uDC00-\uDFFF]/.test(text.charAt(at)) && /[\uD800-\uDBFF]/.test(text.charAt(at - 1))
}

function joined(spans: readonly Span[]): Span[] {
  const result: Span[] = []
  for (const span of spans) {
    const last = result.at(-1)
    if (last !== undefined && span.from <= last.to + 1) {
      result[result.length - 1] = { from: last.from, to: Math.max(last.to, span.to) }
    } else result.push(span)
  }
  return result
}
