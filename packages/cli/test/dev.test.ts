import type { ChildProcess } from 'node:child_process'
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { afterEach, expect, test } from 'vitest'
import { howdah, inside, PROCESS_MS, start } from './support.js'

const folders: string[] = []
const children: ChildProcess[] = []

afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
})

function folder(): string {
  const made = mkdtempSync(join(tmpdir(), 'howdah-cli-dev-'))
  folders.push(made)
  // As root, the server runs as another user, who must be able to walk to the data.
  chmodSync(made, 0o755)
  return made
}

interface Dev {
  readonly url: string
  readonly printed: string
  /** Sends the signal and answers the exit code. */
  end(signal: NodeJS.Signals): Promise<number | null>
}

/** Starts `howdah dev` and waits for the line it prints. */
async function dev(args: readonly string[] = []): Promise<Dev> {
  const child = start(['dev', ...args])
  children.push(child)
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve))
  let printed = ''
  let complaint = ''
  child.stderr?.on('data', (chunk) => {
    complaint += chunk
  })
  await new Promise<void>((resolve, reject) => {
    child.stdout?.on('data', (chunk) => {
      printed += chunk
      if (printed.includes('\n')) resolve()
    })
    void ended.then((code) => reject(new Error(`It ended with ${code}: ${complaint}`)))
  })
  const url = /postgres:\/\/[^\s"]+/.exec(printed)?.[0] ?? ''
  return {
    url,
    printed,
    end: (signal) => {
      child.kill(signal)
      return ended
    },
  }
}

async function query(url: string, text: string) {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return (await client.query(text)).rows
  } finally {
    await client.end()
  }
}

function answers(url: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(Number(new URL(url).port), '127.0.0.1')
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
    socket.once('connect', () => socket.destroy())
  })
}

test(
  'it prints a URL that works, and Ctrl-C ends the server',
  async () => {
    const { url, printed, end } = await dev()
    expect(printed).toBe(`DATABASE_URL=${url}\n`)
    expect(await query(url, 'select 1 as n')).toEqual([{ n: 1 }])
    const doctor = await inside(['doctor', '--strict'], { DATABASE_URL: url })
    // All it has to say is that nothing is migrated yet.
    expect(doctor.stdout).toMatch(/\n0 errors, \d warnings\.\n$/)
    expect(await end('SIGINT')).toBe(0)
    expect(await answers(url)).toBe(false)
  },
  PROCESS_MS,
)

test(
  '--data keeps data and URL over an orderly end and a kill',
  async () => {
    const data = join(folder(), 'kept')
    const first = await dev(['--data', data, '--json'])
    expect(JSON.parse(first.printed)).toMatchObject({ url: first.url, data })
    await query(first.url, `create table note as select 'here' as text`)
    expect(await first.end('SIGTERM')).toBe(0)
    expect(await answers(first.url)).toBe(false)

    const second = await dev(['--data', data])
    expect(second.url).toBe(first.url)
    expect(await query(second.url, 'select text from note')).toEqual([{ text: 'here' }])
    await second.end('SIGKILL')
    await expect.poll(() => answers(second.url)).toBe(false)
    await expect.poll(() => existsSync(join(data, 'postmaster.pid'))).toBe(false)

    writeFileSync(join(data, 'howdah-dev.json'), '{"port":-1')
    const third = await dev(['--data', data])
    expect(await query(third.url, 'select text from note')).toEqual([{ text: 'here' }])
    expect(await third.end('SIGTERM')).toBe(0)
    expect(JSON.parse(readFileSync(join(data, 'howdah-dev.json'), 'utf8'))).toMatchObject({
      port: Number(new URL(third.url).port),
    })
  },
  PROCESS_MS,
)

test(
  'a server that is killed ends the command with an error',
  async () => {
    const data = join(folder(), 'killed')
    const { end } = await dev(['--data', data])
    const [pid] = readFileSync(join(data, 'postmaster.pid'), 'utf8').split('\n')
    process.kill(Number(pid), 'SIGKILL')
    const child = children.at(-1) as ChildProcess
    expect(await new Promise((resolve) => child.once('close', resolve))).toBe(1)
    void end
  },
  PROCESS_MS,
)

test(
  'what cannot be is refused',
  async () => {
    expect(await inside(['dev', '--port', 'x'], {})).toMatchObject({ code: 1 })
    expect(await inside(['dev', '--major', '9'], {})).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('TESTKIT_INVALID_OPTION'),
    })
    const full = folder()
    writeFileSync(join(full, 'letter'), 'dear')
    const { code, stderr } = await howdah(['dev', '--data', full], {})
    expect({ code, stderr }).toMatchObject({ code: 1, stderr: expect.stringContaining('DATA_DIR') })
  },
  PROCESS_MS,
)
