import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { Database } from '@howdah/core'
import { testDatabase } from '@howdah/testkit'
import { expect, onTestFinished, test } from 'vitest'
import { PubSub } from '../src/index.js'

/** `HOWDAH_CROWD=5000` runs the size that the documentation speaks of. */
const CLIENTS = Number(process.env['HOWDAH_CROWD'] ?? 500)
const SILENT = CLIENTS / 50
const MESSAGES = 500
/** What two measurements of one thing may differ by. */
const NOISE = 8 * 2 ** 20
const TEXT = 'x'.repeat(8_000)

interface Memory {
  readonly used: number
  readonly rss: number
  readonly slow: number
  readonly dropped: number
}
interface Received {
  readonly streamed: number
  readonly heardOf: number
  readonly missed: number
  readonly broken: number
}

test(`of ${CLIENTS} clients, ${SILENT} that never read cost little memory, and the others nothing`, async () => {
  const allRead = await run(0)
  const someSilent = await run(SILENT)
  process.stdout.write(
    `memory used ${mib(allRead.memory.used)} MiB when all read, ${mib(someSilent.memory.used)} MiB with ${SILENT} silent ` +
      `(rss ${mib(allRead.memory.rss)} and ${mib(someSilent.memory.rss)})\n`,
  )
  expect(someSilent.memory.slow).toBe(SILENT)
  // A write of 64 KiB that the kernel did not take, and references to frames, of which all of them share one copy. What they did not read is megabytes.
  const perSilent = 256 * 1024
  expect(someSilent.memory.used).toBeLessThan(allRead.memory.used + SILENT * perSilent + NOISE)
}, 600_000)

/** Sends everything to a crowd, and says what memory the gateway had at the end, when only the silent had not read. */
async function run(silent: number): Promise<{ memory: Memory }> {
  await using database = await testDatabase()
  const pool = database.pool()
  await using pubsub = new PubSub({ pool })
  const gateway = start('crowd-gateway', [database.url])
  const { port } = (await answer(gateway)) as { port: number }
  const crowd = start('crowd-clients', [String(port), String(CLIENTS), String(silent)])
  await answer(crowd)
  const received = async () => (await ask(crowd, 'look')) as { reading: Received; silent: Received }
  const stream = pubsub.stream<string>('s')
  const channel = pubsub.channel<string>('c')
  for (let n = 0; n < MESSAGES; n += 10) {
    for (let m = 0; m < 10; m++) await Promise.all([stream.append(TEXT), channel.publish(TEXT)])
    // No faster than who reads, so that nobody but the silent is slow.
    await expect
      .poll(async () => (await received()).reading, { interval: 5, timeout: 60_000 })
      .toEqual({ streamed: n + 10, heardOf: n + 10, missed: 0, broken: 0 })
  }
  const memory = (await ask(gateway, 'look')) as Memory
  if (silent > 0) {
    await ask(crowd, 'resume')
    await expect
      .poll(async () => (await received()).silent, { interval: 20, timeout: 60_000 })
      .toEqual({ streamed: MESSAGES, heardOf: MESSAGES, missed: memory.dropped, broken: 0 })
    expect(memory.dropped).toBeGreaterThan(0)
  }
  await stop(crowd)
  await stop(gateway)
  await pubsub.close()
  await Database.from(pool).close()
  return { memory }
}

function start(fixture: string, args: readonly string[]): ChildProcess {
  const file = fileURLToPath(new URL(`./fixtures/${fixture}.ts`, import.meta.url))
  const child = fork(file, args, { execArgv: ['--expose-gc', '--import', 'tsx'] })
  onTestFinished(() => {
    child.kill('SIGKILL')
  })
  return child
}

async function stop(child: ChildProcess): Promise<void> {
  child.kill('SIGKILL')
  await once(child, 'exit')
}

function ask(child: ChildProcess, message: string): Promise<unknown> {
  child.send(message)
  return answer(child)
}

async function answer(child: ChildProcess): Promise<unknown> {
  const [message] = (await once(child, 'message')) as [unknown]
  return message
}

function mib(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(0)
}
