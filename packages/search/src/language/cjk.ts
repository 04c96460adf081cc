/**
 * Scripts that are written without spaces between words, as pieces of a character class: Han, kana, bopomofo and Hangul. JavaScript
 * (with the flag `u`) and PostgreSQL take different escapes beyond 16 bits.
 */
const RANGES: readonly (readonly [number, number])[] = [
  [0x1100, 0x11ff],
  [0x3005, 0x3007],
  [0x3041, 0x3096],
  [0x309d, 0x309f],
  [0x30a1, 0x30fa],
  [0x30fc, 0x30ff],
  [0x3105, 0x312f],
  [0x31f0, 0x31ff],
  [0x3400, 0x4dbf],
  [0x4e00, 0x9fff],
  [0xac00, 0xd7a3],
  [0xf900, 0xfaff],
  [0xff66, 0xff9f],
  [0x20000, 0x2fa1f],
  [0x30000, 0x323af],
]

/** Their punctuation, which the parser of a database with the locale "C" takes for letters. */
const MARKS: readonly (readonly [number, number])[] = [
  [0x3000, 0x3004],
  [0x3008, 0x3020],
  [0x3030, 0x303f],
  [0x30fb, 0x30fb],
  [0xff01, 0xff0f],
  [0xff1a, 0xff20],
  [0xff3b, 0xff40],
  [0xff5b, 0xff65],
]

/** What stands in a character class of a JavaScript expression with the flag `u`. */
export const CJK: string = RANGES.map(
  ([from, to]) => `\\u{${from.toString(16)}}-\\u{${to.toString(16)}}`,
).join('')

/** The same for an expression of PostgreSQL. */
export const CJK_SQL: string = classOf(RANGES)

/** {@link MARKS} for an expression of PostgreSQL. */
export const CJK_MARKS_SQL: string = classOf(MARKS)

function classOf(ranges: typeof RANGES): string {
  return ranges.map(([from, to]) => `${escaped(from)}-${escaped(to)}`).join('')
}

function escaped(code: number): string {
  return code > 0xffff
    ? `\\U${code.toString(16).padStart(8, '0')}`
    : `\\u${code.toString(16).padStart(4, '0')}`
}

const RUN = new RegExp(`[${CJK}]+`, 'gu')

/**
 * The pairs of neighbouring characters, as `search_text` cuts them, with where they stand; a character that stands alone is a pair
 * by itself.
 */
export function bigrams(text: string): { readonly text: string; readonly at: number }[] {
  const found: { text: string; at: number }[] = []
  for (const run of text.matchAll(RUN)) {
    let at = run.index
    const characters = [...run[0]]
    if (characters.length === 1) found.push({ text: run[0], at })
    for (const [n, character] of characters.entries()) {
      const next = characters[n + 1]
      if (next !== undefined) found.push({ text: character + next, at })
      at += character.length
    }
  }
  return found
}
