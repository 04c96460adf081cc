/** The steps of docs/getting-started.md, in their order, on the server that `howdah dev` starts. */
import { type ChildProcess, execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { howdah, start } from '../../packages/cli/test/support.js'
import { ROOT, snippets } from './markdown.js'

const run = promisify(execFile)
const steps = snippets(join(ROOT, 'docs/getting-started.md'))
const TIMEOUT = { timeout: 120_000 }

let folder: string
let server: ChildProcess
let url: string

beforeAll(async () => {
  // Inside the repository, so that packages are found.
  mkdirSync(join(ROOT, '.howdah'), { recursive: true })
  folder = mkdtempSync(join(ROOT, '.howdah', 'started-'))
  server = start(['dev'])
  url = await new Promise<string>((resolve, reject) => {
    let printed = ''
    server.stdout?.on('data', (chunk) => {
      printed += chunk
      const found = /^DATABASE_URL=(\S+)$/m.exec(printed)?.[1]
      if (found !== undefined) resolve(found)
    })
    server.once('close', (code) => reject(new Error(`howdah dev ended with ${code}.`)))
  })
}, 120_000)
afterAll(async () => {
  if (server?.exitCode === null) {
    const ended = once(server, 'close')
    server.kill('SIGINT')
    await ended
  }
  rmSync(folder, { recursive: true, force: true })
})

test('there is a step for each primitive', () => {
  for (const name of ['cache', 'queue', 'search', 'pubsub', 'session']) {
    expect(steps.some(({ code }) => code.includes(`@howdah/${name}'`))).toBe(true)
  }
})

test.each(steps.map((step, at) => [at + 1, step.where, step] as const))(
  'step %i, %s, prints what the page says',
  TIMEOUT,
  async (at, _where, step) => {
    const file = join(folder, `step-${at}.ts`)
    writeFileSync(file, `${step.code}\nexport {}\n`)
    const { stdout } = await run(process.execPath, ['--import', 'tsx', file], {
      cwd: ROOT,
      env: { ...process.env, DATABASE_URL: url, NO_COLOR: '1' },
      timeout: 100_000,
    })
    expect(step.prints).toBeDefined()
    expect(stdout).toBe(step.prints)
  },
)

test.each([[['top', '--once']], [['queue', 'list']], [['doctor']]])(
  'howdah %j looks into what was made, and finds nothing wrong',
  TIMEOUT,
  async (args) => {
    const { code, stdout } = await howdah(args, { DATABASE_URL: url })
    expect(code, stdout).toBe(0)
    if (args[0] !== 'doctor') expect(stdout).toContain('counting')
  },
)
