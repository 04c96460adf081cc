import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ROOT } from './markdown.js'

const folder = join(ROOT, 'examples')
const minimal = readdirSync(folder, { withFileTypes: true }).filter(
  (entry) => entry.isDirectory() && entry.name !== 'offers',
)

test('each minimal example is one file of less than 150 lines, with a page and a test', () => {
  expect(minimal.length).toBeGreaterThan(2)
  for (const { name } of minimal) {
    expect(readdirSync(join(folder, name, 'src')), name).toEqual(['main.ts'])
    const lines = readFileSync(join(folder, name, 'src/main.ts'), 'utf8').split('\n').length
    expect(lines, name).toBeLessThan(150)
    expect(existsSync(join(folder, name, 'README.md')), name).toBe(true)
    expect(existsSync(join(folder, name, `test/${name}.test.ts`)), name).toBe(true)
  }
})
