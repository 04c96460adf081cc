import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { run } from '../run/child.mjs'

const parentFile = fileURLToPath(new URL('./child-parent.mjs', import.meta.url))

interface Family {
  readonly parent: ChildProcess
  readonly others: number[]
  readonly lines: string[]
}

async function startFamily(): Promise<Family> {
  const parent = spawn(process.execPath, [parentFile], { stdio: ['ignore', 'pipe', 'inherit'] })
  const lines: string[] = []
  const reader = createInterface(parent.stdout).on('line', (line) => lines.push(line))
  const [first] = (await once(reader, 'line')) as [string]
  return { parent, others: first.split(' ').map(Number), lines }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
  } catch {
    return false
  }
  // In a container the first process may never collect those that have ended.
  const status = `/proc/${pid}/status`
  return !existsSync(status) || !/^State:\s+Z/m.test(readFileSync(status, 'utf8'))
}

describe('run()', () => {
  it.each([
    ['SIGINT', 130, 'SIGINT'],
    ['SIGTERM', 143, 'SIGTERM'],
    ['SIGHUP', 129, 'SIGTERM'],
  ] as const)('passes %s on, exits with %i and leaves no process', async (signal, code, passed) => {
    const { parent, others, lines } = await startFamily()
    parent.kill(signal)
    expect(await once(parent, 'close')).toEqual([code, null])
    expect(lines.slice(1)).toEqual([passed])
    await expect.poll(() => others.filter(isRunning), { timeout: 10_000 }).toEqual([])
  })

  it('lets a child end by itself when this process is killed outright', async () => {
    const { parent, others } = await startFamily()
    parent.kill('SIGKILL')
    const [child = 0, grandchild = 0] = others
    await expect.poll(() => isRunning(child), { timeout: 10_000 }).toBe(false)
    process.kill(grandchild)
  })

  it('returns the exit code and what was printed', async () => {
    const source = 'console.log("out"); process.exit(3)'
    const result = await run(process.execPath, ['-e', source], { capture: true })
    expect(result).toEqual({ code: 3, output: 'out\n' })
  })

  it('says which program could not be started', async () => {
    await expect(run('no-such-program', [])).rejects.toThrow(/^Could not start no-such-program/)
  })
})
