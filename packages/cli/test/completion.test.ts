import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { expect, test } from 'vitest'
import { notTested } from '../../../scripts/not-tested.js'
import { inside, PROCESS_MS, script } from './support.js'

const bash = ['/bin/bash', '/usr/bin/bash', '/opt/homebrew/bin/bash'].find((path) =>
  existsSync(path),
)
if (bash === undefined) notTested('completion in bash', 'there is no bash on this machine')

async function complete(...words: string[]): Promise<string[]> {
  const { code, stdout } = await inside(['complete', '--', ...words], {})
  expect(code).toBe(0)
  return stdout.split('\n').filter(Boolean)
}

test('words go on as the commands do', async () => {
  expect(await complete('')).toEqual([
    'dev',
    'migrate',
    'doctor',
    'top',
    'queue',
    'schedule',
    'cache',
    'stream',
    'session',
    'completion',
  ])
  expect(await complete('s')).toEqual(['schedule', 'stream', 'session'])
  expect(await complete('queue', 'p')).toEqual(['pause', 'purge'])
  expect(await complete('queue', 'purge', 'mails', '--')).toEqual(
    expect.arrayContaining(['--yes', '--waiting', '--json', '--schema']),
  )
  expect(await complete('queue', 'jobs', 'mails', '--state', 'd')).toEqual(['delayed', 'discarded'])
  expect(await complete('queue', '--state')).toEqual([])
  expect(await complete('doctor', '--schema', 'app', 'index')).toEqual(['indexes'])
  expect(await complete('doctor', 'indexes', 'clo')).toEqual(['clock'])
  expect(await complete('completion', '')).toEqual(['bash', 'zsh', 'fish'])
  expect(await complete('nothing', 'q')).toEqual([])
  expect(await complete('--url', '')).toEqual(await complete(''))
  expect(await complete()).toEqual(await complete(''))
})

test.each(['bash', 'zsh', 'fish'])('there is a script for %s', async (shell) => {
  const { code, stdout } = await inside(['completion', shell], {})
  expect(code).toBe(0)
  expect(stdout).toContain('howdah complete -- ')
})

test.skipIf(bash === undefined)(
  'bash completes with it',
  async () => {
    const { stdout: completion } = await inside(['completion', 'bash'], {})
    const session = `
      howdah() { "${process.execPath}" --import tsx "${script}" "$@"; }
      ${completion}
      COMP_WORDS=(howdah queue p); COMP_CWORD=2; _howdah; echo "\${COMPREPLY[*]}"
      COMP_WORDS=(howdah queue ''); COMP_CWORD=2; _howdah; echo "\${#COMPREPLY[@]}"`
    const { stdout } = spawnSync(bash as string, ['--norc', '-c', session], { encoding: 'utf8' })
    expect(stdout).toMatch(/^pause\s+purge\n9\n$/)
  },
  PROCESS_MS,
)

test('an unknown shell is refused', async () => {
  const { code, stderr } = await inside(['completion', 'cmd'], {})
  expect(code).toBe(1)
  expect(stderr).toContain('Allowed choices are bash, zsh, fish')
})
