import { SearchIndex } from '@howdah/search'
import type { Pool } from 'pg'
import { median } from '../measure/statistics.js'
import type { Measure, Suite } from '../suite.js'

const WORDS = 200_000
const WORDS_PER_ROW = 50
/** Words that are mistyped in a round. */
const SAMPLE = 200

/** What correcting and completing words costs, with a vocabulary of 200,000 words (20,000 with `--quick`). */
export const searchVocabulary: Suite = {
  name: 'search-vocabulary',
  setup: async () => [],
  async measures({ pool, quick, onEnd }) {
    const client = pool({ max: 2 })
    const words = makeWords(quick ? WORDS / 10 : WORDS)
    await fillTable(client, words)
    const index = new SearchIndex('vocabulary', {
      pool: client,
      table: 'vocabulary_row',
      key: 'id',
      fields: { text: {} },
      language: 'simple',
    })
    await index.attach()
    await client.query('vacuum analyze')
    onEnd(() => index.close())
    const next = random(11)
    const pick = (least: number, most: number) => {
      for (;;) {
        const word = words[Math.floor(next() * words.length)] as string
        if (word.length >= least && word.length <= most) return word
      }
    }
    const long = () => mistyped(mistyped(pick(8, 40), next), next)
    const short = () => mistyped(pick(5, 7), next)
    return [
      timed(
        'fuzzy_lookup_ms',
        'A word of 8 letters or more with two errors, corrected',
        index,
        long,
      ),
      timed('fuzzy_lookup_1_ms', 'A word of 5 to 7 letters with an error, corrected', index, short),
      timed('suggest_1_ms', 'One letter, completed', index, () => pick(5, 40).slice(0, 1)),
      timed('suggest_3_ms', 'Three letters, completed', index, () => pick(5, 40).slice(0, 3)),
    ]
  },
}

/** The middle time of a suggestion, over the network and back: the words that it finds, analysed and looked up. */
export function timed(
  figure: string,
  title: string,
  index: SearchIndex,
  typed: () => string,
): Measure {
  return {
    figure,
    title: `${title}: suggest(), one caller, p50`,
    unit: 'ms',
    async run() {
      const times: number[] = []
      for (let n = 0; n < SAMPLE; n++) {
        const text = typed()
        const start = performance.now()
        await index.suggest(text)
        times.push(performance.now() - start)
      }
      return median(times)
    },
  }
}

/** Words of one to three syllables, which lie much closer together than those of a language. */
function makeWords(count: number): string[] {
  const consonants = 'b c d f g h j k l m n p r s t v w z br cr dr fl gr pl pr st tr sh ch th'
  const vowels = 'a e i o u ai ea ou'.split(' ')
  const syllables = consonants.split(' ').flatMap((one) => vowels.map((vowel) => one + vowel))
  const ends = ['', 'n', 'r', 's', 't', 'l', 'm', 'nd', 'st', 'ck']
  const next = random(7)
  const oneOf = (all: readonly string[]) => all[Math.floor(next() * all.length)] as string
  const words = new Set<string>()
  while (words.size < count) {
    const length = [1, 2, 2, 2, 2, 2, 2, 3, 3, 3][Math.floor(next() * 10)] as number
    words.add(Array.from({ length }, () => oneOf(syllables)).join('') + oneOf(ends))
  }
  return [...words]
}

/** A word with one letter left out, added, replaced or swapped with its neighbour, but for the first. */
export function mistyped(word: string, next: () => number): string {
  const at = 1 + Math.floor(next() * (word.length - 1))
  const letter = 'abcdefghijklmnopqrstuvwxyz'.charAt(Math.floor(next() * 26))
  const [before, after] = [word.slice(0, at), word.slice(at)]
  const edits = [
    before + after.slice(1),
    before + letter + after,
    before + letter + after.slice(1),
    before.slice(0, -1) + after.charAt(0) + before.slice(-1) + after.slice(1),
  ]
  return edits[Math.floor(next() * edits.length)] as string
}

async function fillTable(pool: Pool, words: readonly string[]): Promise<void> {
  await pool.query('create table vocabulary_row (id int primary key, text text)')
  const rows: string[] = []
  for (let from = 0; from < words.length; from += WORDS_PER_ROW) {
    rows.push(words.slice(from, from + WORDS_PER_ROW).join(' '))
  }
  await pool.query(
    'insert into vocabulary_row select n, text from unnest($1::text[]) with ordinality as row(text, n)',
    [rows],
  )
}

/** A repeatable source of numbers in [0, 1). */
export function random(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}
