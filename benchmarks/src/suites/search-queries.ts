import { type Corpus, generator } from './search-corpus.js'

/** Shares of the documents that a word of each band is in. */
const BANDS = { common: [0.1, 0.4], medium: [0.005, 0.02], rare: [0.0002, 0.0008] } as const
type Band = keyof typeof BANDS

/** Kinds of queries, each with the bands its words are of. */
const SHAPES: Readonly<Record<string, readonly (readonly Band[])[]>> = {
  common: [['common'], same('common', 2), same('common', 3), same('common', 4)],
  mixed: [
    ['common', 'medium'],
    ['common', 'medium', 'rare'],
    ['common', 'common', 'medium', 'rare'],
  ],
  medium: [['medium'], same('medium', 2), same('medium', 3), same('medium', 4)],
  rare: [['rare'], same('rare', 2), same('rare', 3), same('rare', 4)],
}
export type Kind = 'common' | 'mixed' | 'medium' | 'rare'
export const KINDS: readonly Kind[] = ['common', 'mixed', 'medium', 'rare']

/** Queries of each kind, \`each\` of every shape: lists of words. */
export function queries(
  { words, found }: Corpus,
  documents: number,
  each: number,
): Record<Kind, string[][]> {
  const next = generator(7)
  const ofBand = (band: Band) => {
    const [low, high] = BANDS[band]
    return words.filter((_, at) => {
      const share = (found[at] as number) / documents
      return share >= low && share <= high
    })
  }
  const bands = { common: ofBand('common'), medium: ofBand('medium'), rare: ofBand('rare') }
  const draw = (shape: readonly Band[]) => {
    const drawn = new Set<string>()
    for (const band of shape) {
      const from = bands[band]
      const before = drawn.size
      while (drawn.size === before) drawn.add(from[Math.floor(next() * from.length)] as string)
    }
    return [...drawn]
  }
  const all = KINDS.map((kind) => {
    const shapes = SHAPES[kind] ?? []
    return [kind, shapes.flatMap((shape) => Array.from({ length: each }, () => draw(shape)))]
  })
  return Object.fromEntries(all) as Record<Kind, string[][]>
}

function same(band: Band, count: number): Band[] {
  return Array.from({ length: count }, () => band)
}
