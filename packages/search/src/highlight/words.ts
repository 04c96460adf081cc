import { bigrams, CJK } from '../language/cjk.js'

/** A piece of a text that a lexeme may come from. */
export interface Word {
  readonly text: string
  readonly from: number
  readonly to: number
  /** A pair of CJK characters, which is a lexeme as it stands. */
  readonly pair: boolean
}

const PIECE = new RegExp(`[${CJK}]+|(?:(?![${CJK}])[\\p{L}\\p{N}\\p{M}])+`, 'gu')
const IS_CJK = new RegExp(`^[${CJK}]`, 'u')
/** Longer ones are no words that anybody searches for, and would only be sent to the server. */
const MAX_WORD = 100

/** The words of a text in their order, about as PostgreSQL's parser counts them; pairs of CJK characters overlap. */
export function wordsOf(text: string): Word[] {
  const words: Word[] = []
  for (const { 0: piece, index } of text.matchAll(PIECE)) {
    if (IS_CJK.test(piece)) {
      for (const pair of bigrams(piece)) {
        const from = index + pair.at
        words.push({ text: pair.text, from, to: from + pair.text.length, pair: true })
      }
    } else if (piece.length <= MAX_WORD) {
      words.push({ text: piece, from: index, to: index + piece.length, pair: false })
    }
  }
  return words
}

const CHUNK = /\S+/g
const EDGE = /^[^\p{L}\p{N}]+|[^\p{L}\p{N}]+$/gu

/** What stands between spaces and has signs inside, such as addresses and version numbers: the parser takes some of them as one. */
export function chunksOf(text: string): Word[] {
  const chunks: Word[] = []
  for (const { 0: chunk, index } of text.matchAll(CHUNK)) {
    if (chunk.length > MAX_WORD) continue
    const trimmed = chunk.replace(EDGE, '')
    if (!/[^\p{L}\p{N}\p{M}]/u.test(trimmed)) continue
    const from = index + chunk.indexOf(trimmed)
    chunks.push({ text: trimmed, from, to: from + trimmed.length, pair: false })
  }
  return chunks
}
