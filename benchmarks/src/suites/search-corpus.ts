/** A document of the synthetic corpus. */
export interface SyntheticDocument {
  readonly id: number
  readonly title: string
  readonly body: string
}

/** The corpus, and how many documents each of its words is in, for choosing queries. */
export interface Corpus {
  readonly words: readonly string[]
  /** By the word's place in `words`; filled while documents are made. */
  readonly found: Int32Array
  documents(): Generator<SyntheticDocument>
}

const VOCABULARY = 200_000
const TOPICS = 300
const WORDS_OF_TOPIC = 400
const OF_TOPIC = 0.3
const REPEATED = 0.15

/**
 * Text as it is in the large: words by the law of Zipf and Mandelbrot, three in ten of them from the document's topic, and some said
 * again, with 75 words to a document on average. The same for the same number of documents.
 */
export function corpus(count: number): Corpus {
  const next = generator(42)
  const words = pseudoWords(next)
  const anyWord = cumulative(VOCABULARY, (rank) => 1 / (rank + 15) ** 1.05)
  const wordOfTopic = cumulative(WORDS_OF_TOPIC, (rank) => 1 / (rank + 3))
  const topics = Array.from({ length: TOPICS }, () =>
    Int32Array.from({ length: WORDS_OF_TOPIC }, () => 50 + Math.floor(next() * 39_950)),
  )
  const found = new Int32Array(VOCABULARY)
  const lastSeen = new Int32Array(VOCABULARY)
  function* documents() {
    for (let id = 1; id <= count; id++) {
      const topic = topics[Math.floor(next() * TOPICS)] as Int32Array
      const length = Math.round(Math.min(260, Math.max(15, 68 * Math.exp(0.45 * normal(next)))))
      const tokens: number[] = []
      for (let at = 0; at < length; at++) {
        const repeated = at > 3 && next() < REPEATED
        if (repeated) tokens.push(tokens[Math.floor(next() * at)] as number)
        else if (next() < OF_TOPIC) tokens.push(topic[pick(wordOfTopic, next())] as number)
        else tokens.push(pick(anyWord, next()))
      }
      for (const token of tokens) {
        if (lastSeen[token] === id) continue
        lastSeen[token] = id
        found[token] = (found[token] as number) + 1
      }
      const text = tokens.map((token) => words[token])
      const cut = 5 + (id % 4)
      yield { id, title: text.slice(0, cut).join(' '), body: text.slice(cut).join(' ') }
    }
  }
  return { words, found, documents }
}

/** Random numbers in [0, 1), the same for the same seed. */
export function generator(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

function pseudoWords(next: () => number): string[] {
  const onsets = 'b c d f g h j k l m n p r s t v w z br cr dr fl gr pl pr st tr sh ch th'.split(
    ' ',
  )
  const vowels = 'a e i o u ai ea ou'.split(' ')
  const ends = ['', 'n', 'r', 's', 't', 'l', 'm', 'nd', 'st', 'ck']
  const one = (from: readonly string[]) => from[Math.floor(next() * from.length)] as string
  const words = new Set<string>()
  while (words.size < VOCABULARY) {
    const drawn = next()
    const syllables = drawn < 0.1 ? 1 : drawn < 0.75 ? 2 : 3
    let word = ''
    for (let at = 0; at < syllables; at++) word += one(onsets) + one(vowels)
    words.add(word + one(ends))
  }
  return [...words]
}

function cumulative(count: number, weight: (rank: number) => number): Float64Array {
  const sums = new Float64Array(count)
  let sum = 0
  for (let at = 0; at < count; at++) {
    sum += weight(at + 1)
    sums[at] = sum
  }
  return sums.map((value) => value / sum)
}

/** The first place whose sum is above a number. */
function pick(sums: Float64Array, drawn: number): number {
  let low = 0
  let high = sums.length - 1
  while (low < high) {
    const middle = (low + high) >> 1
    if ((sums[middle] as number) > drawn) high = middle
    else low = middle + 1
  }
  return low
}

function normal(next: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next())
}
