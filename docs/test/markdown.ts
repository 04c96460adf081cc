import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The repository's folder. */
export const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** A code block of a page. */
export interface Snippet {
  /** Where it stands, as `page:line`. */
  readonly where: string
  readonly code: string
  /** What it prints, where a `text` block follows it directly. */
  readonly prints: string | undefined
}

/** The pages people read: README files, guides and decisions. */
export function pages(): string[] {
  const folders = [ROOT, join(ROOT, 'docs'), join(ROOT, 'docs/decisions')]
  for (const group of ['packages', 'examples']) {
    const names = readdirSync(join(ROOT, group), { withFileTypes: true })
    folders.push(
      ...names.filter((name) => name.isDirectory()).map(({ name }) => join(ROOT, group, name)),
    )
  }
  return folders.flatMap((folder) =>
    readdirSync(folder)
      .filter((name) => name.endsWith('.md'))
      .map((name) => join(folder, name)),
  )
}

const FENCE = /^```(\w*)[^\n]*\n([\s\S]*?)^```$/gm

/** The TypeScript blocks of a page, in order. */
export function snippets(page: string): Snippet[] {
  const text = readFileSync(page, 'utf8')
  const blocks = [...text.matchAll(FENCE)].map((match) => ({
    language: match[1],
    code: match[2] ?? '',
    at: match.index,
    end: match.index + match[0].length,
  }))
  return blocks.flatMap((block, i) => {
    if (block.language !== 'ts') return []
    const next = blocks[i + 1]
    const follows = next?.language === 'text' && text.slice(block.end, next.at).trim() === ''
    const line = text.slice(0, block.at).split('\n').length
    return {
      where: `${relative(ROOT, page)}:${line}`,
      code: block.code,
      prints: follows ? next.code : undefined,
    }
  })
}

const EXAMPLE = /@example\s*\n(?:\s*\*[^\n]*\n)*?\s*\* ```ts\n([\s\S]*?)\n\s*\* ```/g

/** The examples in the comments of a source file. */
export function examples(file: string): Snippet[] {
  const text = readFileSync(file, 'utf8')
  return [...text.matchAll(EXAMPLE)].map((match) => ({
    where: `${relative(ROOT, file)}:${text.slice(0, match.index).split('\n').length}`,
    code: (match[1] ?? '').replace(/^\s*\* ?/gm, ''),
    prints: undefined,
  }))
}

/** The source files of all packages. */
export function sources(): string[] {
  return readdirSync(join(ROOT, 'packages')).flatMap((name) => {
    const folder = join(ROOT, 'packages', name, 'src')
    return readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts'))
      .map((file) => join(folder, file))
  })
}
