import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, vi } from 'vitest'
import { notTested } from '../../../scripts/not-tested.js'
import { main } from '../src/index.js'

/** The command as a program of its own. */
export const script: string = fileURLToPath(new URL('./fixtures/howdah.ts', import.meta.url))
const root = fileURLToPath(new URL('../../..', import.meta.url))

/** Starting a process on a machine that is busy with other tests takes long. */
export const PROCESS_MS = 120_000

export interface Outcome {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Starts the command as a process, with nobody at its standard input. */
export function start(args: readonly string[], env: Record<string, string> = {}): ChildProcess {
  const { DATABASE_URL: _, DIRECT_URL: __, ...inherited } = process.env
  return spawn(process.execPath, ['--import', 'tsx', script, ...args], {
    cwd: root,
    env: { ...inherited, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}

/** Runs the command as a process to its end. */
export function howdah(args: readonly string[], env: Record<string, string>): Promise<Outcome> {
  const child = start(args, env)
  let stdout = ''
  let stderr = ''
  child.stdout?.on('data', (chunk) => {
    stdout += chunk
  })
  child.stderr?.on('data', (chunk) => {
    stderr += chunk
  })
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code) => resolve({ code, stdout, stderr }))
  })
}

/** Whether {@link inTerminal} can be had: script(1) of util-linux makes a terminal. */
export const hasTerminal: boolean =
  existsSync('/usr/bin/script') && existsSync('/bin/sh') && process.platform === 'linux'
if (!hasTerminal) notTested('the command in a terminal', 'there is no script(1) of util-linux')

/** Starts the command in a terminal of 60 by 24, whose keys are the child's standard input. */
export function inTerminal(
  args: string,
  env: Record<string, string>,
): { readonly child: ChildProcess; printed(): string; readonly ended: Promise<number | null> } {
  const command = `stty rows 24 cols 60; "${process.execPath}" --import tsx "${script}" ${args}`
  const { NO_COLOR: _, ...inherited } = process.env
  const child = spawn('/usr/bin/script', ['-qec', command, '/dev/null'], {
    cwd: root,
    env: { ...inherited, TERM: 'xterm', SHELL: '/bin/sh', ...env },
  })
  let printed = ''
  child.stdout.on('data', (chunk) => {
    printed += chunk
  })
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve))
  return { child, printed: () => printed, ended }
}

/** Runs the command inside this process, which is faster, and answers what it wrote. */
export async function inside(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<Outcome> {
  const written = { stdout: '', stderr: '' }
  const capture = (name: 'stdout' | 'stderr') =>
    vi.spyOn(process[name], 'write').mockImplementation((chunk) => {
      written[name] += String(chunk)
      return true
    })
  const spies = [capture('stdout'), capture('stderr')]
  vi.stubEnv('DIRECT_URL', '')
  for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value)
  try {
    return { code: await main(args), ...written }
  } finally {
    vi.unstubAllEnvs()
    for (const spy of spies) spy.mockRestore()
  }
}

/** Runs the command and reads its JSON. */
export async function json(args: readonly string[], env: Readonly<Record<string, string>>) {
  const { code, stdout, stderr } = await inside([...args, '--json'], env)
  expect(stderr).toBe('')
  return { ...JSON.parse(stdout), code }
}
