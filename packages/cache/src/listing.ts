import type { Database } from '@howdah/core'
import type { ResolvedCacheOptions } from './options.js'
import { listEntries } from './sql/list-entries.js'

/** Entries read at a time. */
const PAGE = 500

/** Reads the live entries of a namespace, page by page: the application's keys and, where asked for, the stored values. */
export async function* list(
  db: Database,
  { logged, namespace }: ResolvedCacheOptions,
  values: boolean,
): AsyncGenerator<readonly [key: string, stored: string], void, void> {
  for (let after = ''; ; ) {
    const page = await db.query(listEntries(db.schema, logged, namespace, after, PAGE, values))
    for (const { key, original, value } of page) {
      yield [original === null ? key : (JSON.parse(original) as string), value ?? '']
    }
    if (page.length < PAGE) return
    after = page.at(-1)?.key as string
  }
}
