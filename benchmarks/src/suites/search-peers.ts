import MiniSearch from 'minisearch'
import type { Pool } from 'pg'
import type { Corpus } from './search-corpus.js'

/** Answers how many of the best ten of any of the words there are. */
export type Ask = (words: readonly string[]) => Promise<number>

/** A tsvector column with GIN, the matches ordered by ts_rank. */
export function rankTop(pool: Pool): Ask {
  return async (words) => {
    const query = words.map((word) => `'${word}'`).join(' | ')
    const { rows } = await pool.query({
      name: 'rank-top',
      text: `select id, title, body, ts_rank(words, $1::text::tsquery) as score from ranked
        where words @@ $1::text::tsquery order by score desc limit 10`,
      values: [query],
    })
    return rows.length
  }
}

/** MiniSearch with the documents in the memory of this process: no database, no round trip, and gone when the process ends. */
export function miniSearch({ documents }: Corpus): Ask {
  const made = new MiniSearch({
    fields: ['title', 'body'],
    searchOptions: { boost: { title: 2 } },
  })
  for (const document of documents()) made.add(document)
  return async (words) => made.search(words.join(' ')).slice(0, 10).length
}
