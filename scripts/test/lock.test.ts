import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { withLock } from '../run/lock.mjs'

const worker = fileURLToPath(new URL('./lock-worker.mjs', import.meta.url))
let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'howdah-lock-'))
  writeFileSync(join(folder, 'counter'), '0')
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

async function count(rounds: number, end = 'return'): Promise<void> {
  await once(spawn(process.execPath, [worker, folder, String(rounds), end]), 'exit')
}

describe('withLock()', () => {
  it('lets one process in at a time, also when holders are killed', async () => {
    await Promise.all([count(20), count(5, 'stop'), count(20), count(5, 'stop')])
    expect(readFileSync(join(folder, 'counter'), 'utf8')).toBe('50')
  })

  it('leaves nothing behind, also when the work fails', async () => {
    const failing = withLock(() => Promise.reject(new Error('no')), folder)
    await expect(failing).rejects.toThrow('no')
    expect(readdirSync(folder)).toEqual(['counter'])
  })

  it('takes over a lock that nobody has touched for long, whatever its process id', async () => {
    const lock = join(folder, 'lock')
    writeFileSync(lock, JSON.stringify({ token: 'old', pid: process.pid, host: hostname() }))
    const longAgo = new Date(Date.now() - 60_000)
    utimesSync(lock, longAgo, longAgo)
    await expect(withLock(async () => 'in', folder)).resolves.toBe('in')
  })
})
