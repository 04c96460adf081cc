import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { type TestDatabase, testDatabase } from '@howdah/testkit'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { App, eventually, Recorder } from './hub-support.js'

let database: TestDatabase

beforeAll(async () => {
  database = await testDatabase()
})
afterAll(() => database.close())

function run(fixture: string, ...args: string[]) {
  const file = fileURLToPath(new URL(`./fixtures/${fixture}.ts`, import.meta.url))
  const child = spawn(process.execPath, ['--import', 'tsx', file, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  onTestFinished(() => {
    child.kill('SIGKILL')
  })
  let output = ''
  child.stdout.on('data', (data) => {
    output += data
  })
  child.stderr.on('data', (data) => {
    output += data
  })
  const ended = once(child, 'exit').then(([code]) => ({ code, output }))
  return { child, ended, output: () => output }
}

test('messages of several processes, large among small, arrive whole and in each one’s order', async () => {
  const count = 60
  await using listens = new App(database.url)
  await using polls = new App(database.url, { listen: false, hub: { pollInterval: '20ms' } })
  const recorders = [new Recorder(), new Recorder()] as const
  await listens.hub.register('k', recorders[0])
  await polls.hub.register('k', recorders[1])
  const senders = ['0', '1', '2'].map((id) => run('hub-sender', database.url, id, String(count)))
  for (const { ended } of senders) expect(await ended).toEqual({ code: 0, output: '' })
  for (const recorder of recorders) {
    await eventually(() => recorder.messages.length).toBe(3 * count)
    const orders: Record<string, number[]> = { 0: [], 1: [], 2: [] }
    for (const [name, payload] of recorder.messages) {
      const { n, text, hash } = payload as { n: number; text: string; hash: string }
      expect(createHash('sha256').update(text).digest('hex')).toBe(hash)
      orders[name]?.push(n)
    }
    const all = Array.from({ length: count }, (_, n) => n)
    expect(orders).toEqual({ 0: all, 1: all, 2: all })
  }
  expect([...listens.errors, ...polls.errors]).toEqual([])
}, 60_000)

test('a process with nothing else to do ends by itself, listening or polling', async () => {
  const [listening, polling] = ['listen', 'poll'].map((mode) =>
    run('hub-idler', database.url, mode, 'no'),
  )
  expect(await listening?.ended).toEqual({ code: 0, output: 'listening\n' })
  expect(await polling?.ended).toEqual({ code: 0, output: 'polling\n' })
}, 60_000)

test('a handler that asks for it keeps the process until it is unregistered', async () => {
  await using app = new App(database.url)
  for (const mode of ['listen', 'poll']) {
    const { child, ended, output } = run('hub-idler', database.url, mode, 'yes')
    await eventually(output).toMatch(/ing\n/)
    // A process that did not stay would be gone long before a message could take all of these turns.
    for (let turn = 0; turn < 20; turn++) await app.pool.query('select pg_sleep(0.02)')
    expect(child.exitCode).toBe(null)
    await app.hub.send('k', 'n')
    expect(await ended).toMatchObject({ code: 0 })
  }
}, 60_000)
