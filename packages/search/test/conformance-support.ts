import { Database, type DatabaseSource } from '@howdah/core'
import { SearchIndex, type SearchIndexOptions } from '@howdah/search'
import type { SearchSubject, SearchTransaction, SearchUnderTest } from '@howdah/testkit'
import { notTested } from '../../../scripts/not-tested.js'
import { engineOf } from '../src/engine/engine-of.js'

type Engine = NonNullable<SearchIndexOptions['engine']>

/** What runs statements of the suite: a pool, or a PGlite. */
interface Runner {
  query(text: string, values?: unknown[]): Promise<{ rows: unknown[] }>
}

/** Everything that an index makes, by its name. */
const LEFTOVERS = `
  select relname::text as name from pg_class where relname ~ '^search_[a-z_]+_\\d+_\\d+' or relname ~ 'howdah_search_'
  union all select tgname::text from pg_trigger where tgname ~ 'howdah_search_'
  union all select proname::text from pg_proc where starts_with(proname, 'search_do_')
  union all select attname::text from pg_attribute a join pg_class c on c.oid = a.attrelid
    where attname ~ 'howdah_search_' and not attisdropped and c.relkind = 'r'
  union all select 'index ' || name from howdah.search_index
  union all select 'word ' || w.word from howdah.search_word w
  union all select 'log ' || l.id from howdah.search_word_log l
  order by 1`

/** An engine on a database, for the suite that all engines run. `sources` are what two processes have. */
export function subjectOf(
  runner: Runner,
  sources: readonly [DatabaseSource, DatabaseSource],
  engine: Engine,
  concurrent = true,
): { subject: SearchSubject; dispose(): Promise<void> } {
  const made: SearchIndex[] = []
  const query: SearchSubject['query'] = async (text, values = []) =>
    (await runner.query(text, [...values])).rows as Record<string, unknown>[]
  const subject: SearchSubject = {
    capabilities: engineOf(engine).capabilities,
    concurrent,
    index(name, definition, process = 1) {
      const index = new SearchIndex(name, {
        ...definition,
        pool: sources[process - 1] as DatabaseSource,
        engine,
      })
      made.push(index)
      return index as unknown as SearchUnderTest
    },
    query,
    transaction: (fn) =>
      Database.from(sources[0]).transaction((tx) => fn(tx as unknown as SearchTransaction)),
    leftovers: async () => (await query(LEFTOVERS)).map(({ name }) => String(name)),
  }
  return {
    subject,
    async dispose() {
      await Promise.all(made.map((index) => index.close()))
    },
  }
}

/** Installs an extension where the server offers it. Answers whether it is there. */
export async function installExtension(runner: Runner, name: string): Promise<boolean> {
  const { rows } = await runner.query('select 1 from pg_available_extensions where name = $1', [
    name,
  ])
  if (rows.length === 0) {
    notTested(`the search engine ${name}`, `this server does not have the extension ${name}`)
    return false
  }
  await runner.query(`create extension if not exists ${name} cascade`)
  return true
}
