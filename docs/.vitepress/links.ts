/**
 * Links of the pages as GitHub reads them, so that the same files work there and on the site.
 */
import { existsSync, statSync } from 'node:fs'
import { dirname, join, relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The repository's folder. */
export const ROOT: string = fileURLToPath(new URL('../..', import.meta.url))
const PAGES = join(ROOT, 'docs')
const REPOSITORY = 'https://github.com/howdah/howdah'

/** Makes of a heading's text what GitHub makes of it, for `#` links. */
export function slugOf(heading: string): string {
  return heading
    .trim()
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\p{M}\p{Pc}\- ]/gu, '')
    .replaceAll(' ', '-')
}

/** Whether a link goes to a file of the repository, rather than to another site or within its page. */
export function isRelative(href: string): boolean {
  return !/^([a-z][a-z+.-]*:|#|\/)/i.test(href)
}

/** The file or folder that a relative link of a page goes to, and what follows `#`. */
export function targetOf(href: string, page: string): { file: string; anchor: string } {
  const [path = '', anchor = ''] = href.split('#')
  const file = join(dirname(page), decodeURIComponent(path))
  if (!existsSync(file)) {
    throw new Error(`${relative(ROOT, page)} links to ${href}, which is not there.`)
  }
  return { file, anchor }
}

/** A link as it is on the site: pages among themselves, and what is no page at GitHub. */
export function siteLink(href: string, page: string): string {
  if (!isRelative(href)) return href
  const { file, anchor } = targetOf(href, page)
  const folder = statSync(file).isDirectory()
  const hash = anchor === '' ? '' : `#${anchor}`
  if (file.startsWith(PAGES + sep)) {
    if (folder && existsSync(join(file, 'README.md'))) return `${href.split('#')[0]}/index.md`
    if (file.endsWith('README.md')) return href.replace('README.md', 'index.md')
    if (file.endsWith('.md')) return href
  }
  const path = relative(ROOT, file).split(sep).join('/')
  return `${REPOSITORY}/${folder ? 'tree' : 'blob'}/main/${path}${hash}`
}
