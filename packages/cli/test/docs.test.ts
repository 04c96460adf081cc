import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { inside } from './support.js'

const pages = ['../../../docs/cli.md', '../README.md', '../../../docs/operations.md']
const commands = pages.flatMap((page) => {
  const text = readFileSync(fileURLToPath(new URL(page, import.meta.url)), 'utf8')
  const blocks = [...text.matchAll(/^```sh\n([\s\S]*?)^```/gm)].map(([, block]) => block ?? '')
  return blocks.flatMap((block) =>
    [...block.matchAll(/\b(?:npx )?(?:@howdah\/cli|howdah) ([^#>|")\n]+)/g)].map(([, words]) =>
      (words ?? '').trim(),
    ),
  )
})

test('commands are found', () => {
  expect(commands.length).toBeGreaterThan(40)
})

test.each([...new Set(commands)])('howdah %s is a command with these options', async (line) => {
  const words = line.split(/\s+/)
  const options = words.filter((word) => word.startsWith('--'))
  const { code, stdout } = await inside(
    [...words.filter((word) => !options.includes(word)), '--help'],
    {},
  )
  expect(code).toBe(0)
  for (const option of options) expect(stdout).toContain(`${option}`)
  const [first = '', second = ''] = words
  expect(stdout).toMatch(new RegExp(`^Usage: howdah ?${first.startsWith('-') ? '' : first}`))
  if (/^(?:queue|schedule|cache|stream|session|migrate)$/.test(first)) {
    expect(stdout).toContain(`Usage: howdah ${first} ${second}`)
  }
})
