// House rules that Biome and TypeScript cannot see: `node scripts/check-tree.mjs`.
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './run/workspace.mjs'

/** Packages an arrow may point to; every other import of a sibling is forbidden. */
const MAY_IMPORT = { core: [], default: ['@howdah/core'] }
const MAX_LINES = 500

/**
 * Each rule looks at one file and says what is wrong with it, line by line.
 *
 * @type {{ says: string, in: RegExp, finds: (line: string, path: string) => boolean }[]}
 */
const rules = [
  {
    says: 'names a folder of one machine',
    in: /./,
    finds: (line) => /(?<=^|[\s'"`=:(])\/(?:home\/|Users\/|root\/|work\/)/.test(line),
  },
  {
    says: 'leaves work in a comment: finish it or open an issue',
    in: /^(?:packages|examples|benchmarks)\/.*\/?src\//,
    finds: (line) => /\b(?:TODO|FIXME|XXX)\b/.test(line),
  },
  {
    says: 'imports a sibling package: what two primitives share moves down into core',
    in: /^packages\/[^/]+\/src\//,
    finds: (line, path) => {
      if (/^\s*(?:\*|\/\/)/.test(line)) return false
      const name = path.split('/')[1] ?? ''
      // The command works with what is installed; it may know the types of all.
      if (name === 'cli' && /\bimport type\b|\btypeof import\(/.test(line)) return false
      const imported = /(?:from|import|require)\s*\(?\s*['"](@howdah\/[^/'"]+)/.exec(line)?.[1]
      const allowed = name === 'core' ? MAY_IMPORT.core : MAY_IMPORT.default
      return imported !== undefined && !allowed.some((one) => one === imported)
    },
  },
  {
    says: 'reaches into another package by path: import it by name',
    in: /^packages\/[^/]+\/(?:src|test)\//,
    finds: (line) => /from ['"](?:\.\.\/)+(?:packages\/)?[^/'".]+\/src\//.test(line),
  },
]

const found = trackedFiles().flatMap(problems)
for (const problem of found) process.stdout.write(`${problem}\n`)
process.stdout.write(
  `${found.length === 0 ? 'The tree keeps' : `${found.length} breaks of`} the rules.\n`,
)
process.exitCode = found.length === 0 ? 0 : 1

/** @param {string} path */
function problems(path) {
  const text = readFileSync(join(root, path), 'utf8')
  if (text.includes('\0')) return []
  const lines = text.split('\n')
  const applicable = rules.filter((rule) => rule.in.test(path))
  const broken = lines.flatMap((line, n) =>
    applicable
      .filter((rule) => rule.finds(line, path))
      .map((rule) => `${path}:${n + 1} ${rule.says}`),
  )
  const tooLong = /\.(?:sh|sql|html)$/.test(path) && lines.length > MAX_LINES
  return tooLong ? [...broken, `${path} is longer than ${MAX_LINES} lines: split it`] : broken
}

function trackedFiles() {
  const args = ['ls-files', '--cached', '--others', '--exclude-standard', '-z']
  return execFileSync('git', args, { cwd: root, encoding: 'utf8' })
    .split('\0')
    .filter((path) => path !== '' && path !== 'pnpm-lock.yaml' && existsSync(join(root, path)))
}
