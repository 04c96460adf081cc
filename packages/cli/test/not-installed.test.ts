import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { PROCESS_MS } from './support.js'

const cli = fileURLToPath(new URL('..', import.meta.url))
const tsx = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href
let project: string

/** A folder outside the workspace with the command, what it depends on, and no package that it works with. */
beforeAll(() => {
  project = mkdtempSync(join(tmpdir(), 'howdah-cli-bare-'))
  cpSync(join(cli, 'src'), join(project, 'src'), { recursive: true })
  writeFileSync(join(project, 'package.json'), '{ "type": "module" }\n')
  for (const name of ['@howdah/core', 'commander', 'pg']) {
    const at = join(project, 'node_modules', name)
    mkdirSync(dirname(at), { recursive: true })
    symlinkSync(join(cli, 'node_modules', name), at)
  }
  const core = join(cli, '../core/src/index.ts')
  writeFileSync(
    join(project, 'tsconfig.json'),
    JSON.stringify({ compilerOptions: { paths: { '@howdah/core': [core] } } }),
  )
  writeFileSync(
    join(project, 'run.ts'),
    `import { main } from './src/index.js'\nprocess.exitCode = await main(process.argv.slice(2))\n`,
  )
})
afterAll(() => rmSync(project, { recursive: true, force: true }))

test.each([
  [['queue', 'list'], 'npm install @howdah/queue'],
  [['session', 'list'], 'npm install @howdah/session'],
  [['dev'], 'npm install --save-dev @howdah/testkit'],
])(
  '%j says what to install',
  (args, advice) => {
    const { status, stderr } = spawnSync(process.execPath, ['--import', tsx, 'run.ts', ...args], {
      cwd: project,
      encoding: 'utf8',
      env: { ...process.env, DATABASE_URL: 'postgres://127.0.0.1:1/x' },
    })
    expect(stderr).toContain(`CLI_NOT_INSTALLED: This command needs`)
    expect(stderr).toContain(advice)
    expect(status).toBe(1)
  },
  PROCESS_MS,
)
