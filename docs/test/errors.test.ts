import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { describe, expect, test } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))
const packages = readdirSync(join(root, 'packages')).filter((name) =>
  existsSync(join(root, 'packages', name, 'src/errors.ts')),
)

/** The members of `export type <Package>ErrorCode = 'A' | 'B'`. */
function codesOf(name: string): string[] {
  const path = join(root, 'packages', name, 'src/errors.ts')
  const source = ts.createSourceFile(path, readFileSync(path, 'utf8'), ts.ScriptTarget.Latest)
  const codes: string[] = []
  for (const statement of source.statements) {
    if (!ts.isTypeAliasDeclaration(statement) || !statement.name.text.endsWith('ErrorCode'))
      continue
    const members = ts.isUnionTypeNode(statement.type) ? statement.type.types : [statement.type]
    for (const member of members) {
      if (!ts.isLiteralTypeNode(member) || !ts.isStringLiteral(member.literal)) {
        throw new Error(`${path}: ${statement.name.text} must be a union of string literals.`)
      }
      codes.push(member.literal.text)
    }
  }
  return codes
}

/** The code sections of the document: package, code and text. */
const sections = readFileSync(join(root, 'docs/errors.md'), 'utf8')
  .split(/^## @howdah\//m)
  .slice(1)
  .flatMap((chapter) => {
    const name = chapter.slice(0, chapter.indexOf('\n'))
    return chapter
      .split(/^### /m)
      .slice(1)
      .map((section) => {
        const end = section.indexOf('\n')
        return { name, code: section.slice(0, end).trim(), text: section.slice(end).trim() }
      })
  })

function sourceOf(name: string): string {
  const folder = join(root, 'packages', name, 'src')
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts') && file !== 'errors.ts')
    .map((file) => readFileSync(join(folder, file), 'utf8'))
    .join('\n')
}

test('some packages have codes', () => {
  expect(packages).toContain('core')
  expect(sections.length).toBeGreaterThan(20)
})

describe.each(packages)('@howdah/%s', (name) => {
  const codes = codesOf(name)
  const documented = sections.filter((section) => section.name === name)

  test('every error code is documented once in docs/errors.md, and no other', () => {
    expect(codes.length).toBeGreaterThan(0)
    expect(documented.map(({ code }) => code).sort()).toEqual([...codes].sort())
  })

  test('every section says something', () => {
    expect(documented.filter(({ text }) => text.length < 20)).toEqual([])
  })

  test('every error code is thrown somewhere and begins with the name of its package', () => {
    const source = sourceOf(name)
    expect(codes.filter((code) => !source.includes(`'${code}'`))).toEqual([])
    expect(codes.filter((code) => !code.startsWith(`${name.toUpperCase()}_`))).toEqual([])
  })
})
