import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { connect } from 'node:net'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { findPgBouncer } from '@howdah/testkit'
import pg from 'pg'
import { expect, test } from 'vitest'

const fixture = fileURLToPath(new URL('./fixtures/owner.ts', import.meta.url))

interface Owned {
  readonly owner: ChildProcess
  readonly folder: string
  readonly postmaster: number
  readonly ports: readonly number[]
}

function spawnOwner(...args: string[]): ChildProcess {
  return spawn(process.execPath, ['--import', 'tsx', fixture, ...args], {
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  })
}

/** Starts a process that starts a server, and looks at what it made. */
async function startOwner(...args: string[]): Promise<Owned> {
  const owner = spawnOwner(...args)
  const [{ url, ports }] = (await once(owner, 'message')) as [{ url: string; ports: number[] }]
  return { owner, ports, ...(await look(url)) }
}

async function look(url: string): Promise<{ folder: string; postmaster: number }> {
  const client = new pg.Client(url)
  client.on('error', () => {})
  await client.connect()
  const { rows } = await client.query<{ data: string; pid: string }>(
    `select current_setting('data_directory') as data,
            split_part(pg_read_file('postmaster.pid'), E'\\n', 1) as pid`,
  )
  await client.end()
  return { folder: dirname(rows[0]?.data ?? ''), postmaster: Number(rows[0]?.pid) }
}

interface ProcessLine {
  readonly pid: number
  readonly parent: number
  readonly command: string
}

/** The processes of this machine; one that ended and was not collected yet does not count. */
function processes(): ProcessLine[] {
  const table = execFileSync('ps', ['-A', '-o', 'pid=,ppid=,stat=,args='], { encoding: 'utf8' })
  return table.split('\n').flatMap((line) => {
    const [pid, parent, state = 'Z', ...command] = line.trim().split(/\s+/)
    if (state.startsWith('Z')) return []
    return [{ pid: Number(pid), parent: Number(parent), command: command.join(' ') }]
  })
}

function descendantsOf(ancestor: number): ProcessLine[] {
  const all = processes()
  const found = all.filter(({ parent }) => parent === ancestor)
  for (const { pid } of found) found.push(...all.filter(({ parent }) => parent === pid))
  return found
}

function isAlive(pid: number): boolean {
  return processes().some((one) => one.pid === pid)
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' })
    socket.once('error', () => resolve(false))
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
  })
}

async function expectGone({ folder, postmaster, ports }: Owned): Promise<void> {
  const left = async (): Promise<unknown> => ({
    process: isAlive(postmaster),
    folder: existsSync(folder),
    ports: await Promise.all(ports.map(answers)),
  })
  await expect
    .poll(left, { timeout: 20_000 })
    .toEqual({ process: false, folder: false, ports: ports.map(() => false) })
}

test.each(['SIGKILL', 'SIGINT', 'SIGTERM'] as const)(
  'the server and its folder go when their owner ends by %s',
  async (signal) => {
    const owned = await startOwner('wait')
    expect(existsSync(owned.folder)).toBe(true)
    expect(isAlive(owned.postmaster)).toBe(true)
    owned.owner.kill(signal)
    await expectGone(owned)
  },
)

test('a frozen server goes, too', async () => {
  const owned = await startOwner('wait')
  owned.owner.send('freeze')
  await once(owned.owner, 'message')
  owned.owner.kill('SIGKILL')
  await expectGone(owned)
})

test.each(['return', 'throw'])('the server goes when its owner ends by %s', async (way) => {
  const owner = spawnOwner(way)
  const [{ ports }] = (await once(owner, 'message')) as [{ ports: number[] }]
  if (owner.exitCode === null) await once(owner, 'exit')
  expect(owner.exitCode).toBe(way === 'throw' ? 1 : 0)
  await expect.poll(() => answers(Number(ports[0])), { timeout: 20_000 }).toBe(false)
})

test('an owner killed while its server is still being made leaves nothing', async () => {
  const owner = spawnOwner('wait')
  const initdb = (): ProcessLine | undefined =>
    descendantsOf(owner.pid ?? 0).find(({ command }) => /\binitdb --pgdata=/.test(command))
  await expect.poll(initdb, { timeout: 20_000, interval: 5 }).toBeDefined()
  const made = descendantsOf(owner.pid ?? 0)
  const running = made.find(({ command }) => command.includes('--pgdata='))
  // Halted, so that it does not come to its end on its own.
  if (running) process.kill(running.pid, 'SIGSTOP')
  const data = /--pgdata=(\S+)/.exec(running?.command ?? '')?.[1]
  expect(data).toMatch(/howdah-testkit-/)
  owner.kill('SIGKILL')
  await expect.poll(() => made.filter(({ pid }) => isAlive(pid)), { timeout: 20_000 }).toEqual([])
  expect(existsSync(dirname(data ?? ''))).toBe(false)
})

test('two owners at once do not disturb each other', async () => {
  const [one, two] = await Promise.all([startOwner('wait'), startOwner('wait')])
  expect(one.ports).not.toEqual(two.ports)
  one.owner.kill('SIGKILL')
  await expectGone(one)
  expect(isAlive(two.postmaster)).toBe(true)
  expect(existsSync(two.folder)).toBe(true)
  two.owner.kill('SIGTERM')
  await expectGone(two)
})

test.runIf(findPgBouncer() !== undefined)('PgBouncer goes with its owner', async () => {
  const owned = await startOwner('wait', 'pgbouncer')
  expect(await Promise.all(owned.ports.map(answers))).toEqual([true, true])
  owned.owner.kill('SIGKILL')
  await expectGone(owned)
})

test('every wait keeps a program alive that has nothing else to do', async () => {
  const alone = fileURLToPath(new URL('./fixtures/alone.ts', import.meta.url))
  const child = spawn(process.execPath, ['--import', 'tsx', alone])
  let said = ''
  child.stdout.on('data', (chunk) => {
    said += chunk
  })
  await once(child, 'close')
  expect(said).toBe('done')
})
