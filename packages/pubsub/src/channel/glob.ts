/**
 * Patterns as Redis has them in PSUBSCRIBE: `*` for any characters, `?` for one, `[a-c]` and `[^x]` for one of a set, and a backslash before what is to
 * be taken as it is. A set that is not closed reaches to the end, and one without members matches nothing.
 *
 * Matching looks back to the last `*` only, so it takes at most as many steps as the name has characters times those of the pattern. A character is a
 * code point here, and a byte in Redis: `?` matches an é once, not twice.
 *
 * @see https://redis.io/docs/latest/commands/psubscribe/
 */

/** A pattern that was read. */
export interface Glob {
  /** What every name that matches begins with. */
  readonly prefix: string
  readonly tokens: readonly Token[]
}

/** A code point, or what stands for one or many of them. */
type Token = number | '*' | '?' | CharacterSet

interface CharacterSet {
  readonly negated: boolean
  readonly ranges: readonly (readonly [from: number, to: number])[]
}

/** Reads a pattern; every text is one. */
export function parseGlob(text: string): Glob {
  const points = Array.from(text, (character) => character.codePointAt(0) as number)
  const tokens: Token[] = []
  for (let at = 0; at < points.length; at++) {
    const point = points[at] as number
    if (point === STAR) {
      if (tokens.at(-1) !== '*') tokens.push('*')
    } else if (point === QUESTION) {
      tokens.push('?')
    } else if (point === OPEN) {
      const { set, end } = parseSet(points, at + 1)
      tokens.push(set)
      at = end
    } else {
      if (point === BACKSLASH && at + 1 < points.length) at++
      tokens.push(points[at] as number)
    }
  }
  const end = tokens.findIndex((token) => typeof token !== 'number')
  const literals = (end === -1 ? tokens : tokens.slice(0, end)) as number[]
  return { prefix: literals.map((point) => String.fromCodePoint(point)).join(''), tokens }
}

const STAR = 0x2a
const QUESTION = 0x3f
const OPEN = 0x5b
const BACKSLASH = 0x5c
const CLOSE = 0x5d
const CARET = 0x5e
const DASH = 0x2d

/** Reads a set from behind its bracket; `end` is the last place that belongs to it. */
function parseSet(points: readonly number[], start: number): { set: CharacterSet; end: number } {
  const negated = points[start] === CARET
  const ranges: [number, number][] = []
  let at = negated ? start + 1 : start
  for (; at < points.length && points[at] !== CLOSE; at++) {
    const left = points.length - at
    if (points[at] === BACKSLASH && left >= 2) at++
    else if (points[at + 1] === DASH && left >= 3) {
      const [one, two] = [points[at] as number, points[at + 2] as number]
      ranges.push(one <= two ? [one, two] : [two, one])
      at += 2
      continue
    }
    const point = points[at] as number
    ranges.push([point, point])
  }
  return { set: { negated, ranges }, end: Math.min(at, points.length - 1) }
}

/** Tells whether a name matches. */
export function matches({ tokens }: Glob, name: string): boolean {
  let token = 0
  let at = 0
  let afterStar = -1
  let resumeAt = 0
  while (at < name.length) {
    const expected = tokens[token]
    if (expected === '*') {
      token++
      if (token === tokens.length) return true
      afterStar = token
      resumeAt = at
      continue
    }
    const point = name.codePointAt(at) as number
    if (expected !== undefined && accepts(expected, point)) {
      token++
      at += width(point)
      continue
    }
    if (afterStar === -1) return false
    // The last star takes one character more.
    resumeAt += width(name.codePointAt(resumeAt) as number)
    at = resumeAt
    token = afterStar
  }
  if (tokens[token] === '*') token++
  return token === tokens.length
}

function accepts(token: Exclude<Token, '*'>, point: number): boolean {
  if (typeof token === 'number') return token === point
  if (token === '?') return true
  return token.negated !== token.ranges.some(([from, to]) => from <= point && point <= to)
}

function width(point: number): number {
  return point > 0xffff ? 2 : 1
}
