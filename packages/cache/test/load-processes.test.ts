import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import { Bench } from './support.js'

const bench = new Bench()

function run(...args: string[]) {
  const file = fileURLToPath(new URL('./fixtures/loading-process.ts', import.meta.url))
  const child = spawn(process.execPath, ['--import', 'tsx', file, bench.database.url, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  onTestFinished(() => {
    child.kill('SIGKILL')
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (data) => {
      output += data
    })
  }
  const ended = once(child, 'exit').then(([code]) => ({ code, output }))
  return { child, ended, output: () => output }
}

async function prepare() {
  await bench.pool.query('create table if not exists loading (pid int)')
  await bench.pool.query('create table if not exists present (pid int)')
  await bench.pool.query('truncate loading, present')
}

test('getOrSet() runs the loader once for 1,000 calls in 4 processes', async () => {
  await prepare()
  const namespace = bench.fresh()
  const processes = Array.from({ length: 4 }, () => run(namespace, '250', '4'))
  const ends = await Promise.all(processes.map(({ ended }) => ended))
  expect(ends.map(({ code }) => code)).toEqual([0, 0, 0, 0])
  expect(ends.map(({ output }) => output).join('')).toBe('loading\n')
  expect(await bench.rows('select from loading')).toHaveLength(1)
}, 60_000)

test('getOrSet() goes on elsewhere where the process that loads is killed', async () => {
  await prepare()
  const namespace = bench.fresh()
  const doomed = run(namespace, '3', '0')
  await expect.poll(doomed.output).toBe('loading\n')
  const cache = bench.cache({ namespace })
  let loads = 0
  const waiting = Promise.all(
    Array.from({ length: 20 }, () => cache.getOrSet('k', () => `load ${++loads}`)),
  )
  doomed.child.kill('SIGKILL')
  await doomed.ended
  // Nothing takes the lease away while it holds.
  expect(await cache.has('k')).toBe(false)
  expect(loads).toBe(0)
  await bench.age(namespace, '10 seconds')
  expect(await waiting).toEqual(new Array(20).fill('load 1'))
  expect(await cache.get('k')).toBe('load 1')
}, 60_000)
