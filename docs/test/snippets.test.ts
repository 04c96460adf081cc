import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { testDatabase } from '@howdah/testkit'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { examples, pages, ROOT, type Snippet, snippets, sources } from './markdown.js'

const run = promisify(execFile)
let folder: string

beforeAll(() => {
  // Inside the repository, so that packages are found.
  mkdirSync(join(ROOT, '.howdah'), { recursive: true })
  folder = mkdtempSync(join(ROOT, '.howdah', 'snippets-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const onPages = pages().flatMap(snippets)
/** Those of getting-started.md go on from one another, in a test of their own. */
const alone = onPages.filter(({ where }) => !where.startsWith('docs/getting-started.md'))
const inComments = sources().flatMap(examples)

/** Writes a snippet to a file of its own. */
function save({ where, code }: Snippet): string {
  const file = join(folder, `${where.replaceAll(/[^\w]+/g, '-')}.ts`)
  writeFileSync(file, `${code}\nexport {}\n`)
  return file
}

describe('snippets on pages', () => {
  test('are found', () => {
    expect(onPages.length).toBeGreaterThan(5)
  })

  test.each(alone.map((snippet) => [snippet.where, snippet] as const))(
    '%s runs against a real PostgreSQL and prints what the page says',
    { timeout: 120_000 },
    async (_where, snippet) => {
      const database = await testDatabase()
      try {
        const { stdout } = await run(process.execPath, ['--import', 'tsx', save(snippet)], {
          cwd: ROOT,
          env: { ...process.env, DATABASE_URL: database.url, NO_COLOR: '1' },
          timeout: 100_000,
        })
        if (snippet.prints !== undefined) expect(stdout).toBe(snippet.prints)
      } finally {
        await database.close()
      }
    },
  )
})

test('snippets on pages and examples in comments compile', { timeout: 120_000 }, async () => {
  expect(inComments.length).toBeGreaterThan(10)
  const all = [...onPages, ...inComments]
  const config = join(folder, 'tsconfig.json')
  writeFileSync(
    config,
    JSON.stringify({
      extends: '../../tsconfig.json',
      // A page says process.env.DATABASE_URL and facets.kind, as most applications would.
      compilerOptions: { noPropertyAccessFromIndexSignature: false },
      files: all.map(save),
      include: [],
    }),
  )
  const tsc = join(ROOT, 'node_modules/typescript/bin/tsc')
  const { stdout } = await run(process.execPath, [tsc, '--noEmit', '-p', config], {
    cwd: ROOT,
  }).catch((error: { stdout: string }) => error)
  expect(stdout).toBe('')
})
