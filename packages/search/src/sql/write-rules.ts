import { defineStatement, type Statement } from '@howdah/core'

/** Rules to put in the place of those there are; null leaves them. Each is JSON. */
export interface WrittenRules {
  readonly synonyms?: string | undefined
  readonly stopWords?: string | undefined
  readonly results?: string | undefined
}

/** Replaces some of an index's rules, and gives them another version: a count would come again after a rollback. */
export const writeRules: (schema: string, index: number, written: WrittenRules) => Statement =
  defineStatement(
    'search.write-rules',
    (s) => /* sql */ `
      insert into ${s}.search_rules as known (index_id, version, synonyms, stop_words, results)
      values ($1::int, gen_random_uuid(), coalesce($2::text::jsonb, '[]'), coalesce($3::text::jsonb, '[]'),
        coalesce($4::text::jsonb, '[]'))
      on conflict (index_id) do update set version = excluded.version,
        synonyms = coalesce($2::text::jsonb, known.synonyms),
        stop_words = coalesce($3::text::jsonb, known.stop_words),
        results = coalesce($4::text::jsonb, known.results)`,
    (index, { synonyms = null, stopWords = null, results = null }) => [
      index,
      synonyms,
      stopWords,
      results,
    ],
  )
