/** A document as lists of words by field. */
export type Fields = Readonly<Record<string, string>>

/** BM25 over weighted fields as the textbook has it, over every document, for tests to compare with. */
export function bruteForce(
  documents: ReadonlyMap<string, Fields>,
  weights: Readonly<Record<string, number>>,
  query: readonly string[],
): { key: string; score: number }[] {
  const counted = [...documents].map(([key, fields]) => {
    const counts = new Map<string, number>()
    let length = 0
    for (const [field, weight] of Object.entries(weights)) {
      for (const word of words(fields[field] ?? '')) {
        counts.set(word, (counts.get(word) ?? 0) + weight)
        length += weight
      }
    }
    return { key, counts, length }
  })
  const mean = counted.reduce((sum, { length }) => sum + length, 0) / counted.length
  const found = query.map((word) => counted.filter((other) => other.counts.has(word)).length)
  const scored = counted.map(({ key, counts, length }) => {
    let score = 0
    for (const [at, word] of query.entries()) {
      const having = found[at] ?? 0
      const idf = Math.log(1 + (counted.length - having + 0.5) / (having + 0.5))
      const count = counts.get(word) ?? 0
      score += (idf * count * 2.2) / (count + 1.2 * (0.25 + (0.75 * length) / mean))
    }
    return { key, score, matches: query.some((word) => counts.has(word)) }
  })
  return scored
    .filter(({ matches }) => matches)
    .map(({ key, score }) => ({ key, score }))
    .sort((a, b) => b.score - a.score || (a.key < b.key ? -1 : 1))
}

function words(text: string): string[] {
  return text.split(' ').filter((word) => word !== '')
}

/** A repeatable source of numbers in [0, 1). */
export function random(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

/** A word of a vocabulary in which few words are frequent and most are rare. */
export function zipfWord(next: () => number, vocabulary: number): string {
  const rank = Math.floor(vocabulary ** next())
  return `w${rank.toString(26).replace(/\d/g, (digit) => 'qrstuvwxyz'[Number(digit)] as string)}`
}
