import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { testDatabase } from '@howdah/testkit'
import { expect, test } from 'vitest'
import { ROOT } from './markdown.js'

/** Pages that say something of every table, some of families by their prefix. */
test.each([
  ['docs/operations.md', ['stream_', 'search_', 'queue_']],
  ['docs/scaling.md', ['search_', 'socket_io_']],
  ['docs/security.md', []],
])('%s names every table there is', async (page, families) => {
  await using database = await testDatabase()
  const { rows } = await database
    .adminPool()
    .query<{ name: string }>(
      `select relname as name from pg_class where relnamespace = 'howdah'::regnamespace and relkind = 'r'`,
    )
  expect(rows.length).toBeGreaterThan(50)
  const text = readFileSync(join(ROOT, page), 'utf8')
  const missing = rows.filter(
    ({ name }) =>
      !new RegExp(`\\b${name}\\b`).test(text) &&
      !families.some((family) => name.startsWith(family) && text.includes(`${family}*`)),
  )
  expect(missing).toEqual([])
})
