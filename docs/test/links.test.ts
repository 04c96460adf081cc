import { readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { expect, test } from 'vitest'
import { isRelative, siteLink, slugOf, targetOf } from '../.vitepress/links.js'
import { pages, ROOT } from './markdown.js'

const CODE = /^(`{3,})[\s\S]*?^\1`*$|`[^`\n]*`/gm

/** The links of a page, those in code left out. */
function linksOf(page: string): string[] {
  const text = readFileSync(page, 'utf8').replaceAll(CODE, (code) =>
    code.includes('\n') ? '' : '``',
  )
  return [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, href = '']) => href)
}

/** What `#` links to a page may say, as GitHub numbers equal headings. */
function anchorsOf(page: string): Set<string> {
  const text = readFileSync(page, 'utf8').replaceAll(/^(`{3,})[\s\S]*?^\1`*$/gm, '')
  const seen = new Map<string, number>()
  const anchors = [...text.matchAll(/^#{1,6} (.+)$/gm)].map(([, heading = '']) => {
    const slug = slugOf(heading.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1').replaceAll(/[`*]/g, ''))
    const count = seen.get(slug) ?? 0
    seen.set(slug, count + 1)
    return count === 0 ? slug : `${slug}-${count}`
  })
  return new Set(anchors)
}

test.each(pages().map((page) => [relative(ROOT, page), page]))(
  'the links of %s go to files and headings that are there',
  (_name, page) => {
    for (const href of linksOf(page)) {
      if (!isRelative(href) && !href.startsWith('#')) continue
      const { file, anchor } = href.startsWith('#')
        ? { file: page, anchor: href.slice(1) }
        : targetOf(href, page)
      if (anchor !== '' && file.endsWith('.md')) {
        expect([...anchorsOf(file)], `${href} of ${page}`).toContain(anchor)
      }
    }
  },
)

test('pages link to one another on the site, and to the repository for what is no page', () => {
  const page = join(ROOT, 'docs/operations.md')
  expect(siteLink('security.md#roles', page)).toBe('security.md#roles')
  expect(siteLink('decisions', page)).toBe('decisions/index.md')
  expect(siteLink('README.md', page)).toBe('index.md')
  expect(siteLink('https://example.org', page)).toBe('https://example.org')
  const repository = 'https://github.com/howdah/howdah'
  expect(siteLink('../packages/cli/README.md#use', page)).toBe(
    `${repository}/blob/main/packages/cli/README.md#use`,
  )
  expect(siteLink('../benchmarks/results', page)).toBe(`${repository}/tree/main/benchmarks/results`)
  expect(() => siteLink('missing.md', page)).toThrow(/docs\/operations\.md links to missing\.md/)
})
