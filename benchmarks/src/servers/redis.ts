import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as later } from 'node:timers/promises'
import { Redis } from 'ioredis'

/** The Redis that peers run on. */
export interface RedisUnderTest {
  readonly version: string
  readonly url: string
  /** How it keeps data, as it was started. */
  readonly persistence: string
  client(options: { enableAutoPipelining: boolean }): Redis
  cpuSeconds(): Promise<number>
  close(): Promise<void>
}

/** Answers the Redis at `REDIS_URL`, or one started from the PATH; `undefined` where there is neither. */
export async function startRedisUnderTest(): Promise<RedisUnderTest | undefined> {
  const url = process.env['REDIS_URL']
  if (url) return connected(url, 'as configured', async () => {})
  const server = await startServer()
  if (server === undefined) return undefined
  return connected(`redis://127.0.0.1:${server.port}`, 'off', server.stop)
}

async function connected(
  url: string,
  persistence: string,
  stop: () => Promise<void>,
): Promise<RedisUnderTest> {
  const clients: Redis[] = []
  const client = (options: { enableAutoPipelining: boolean }) => {
    const made = new Redis(url, options)
    made.on('error', () => {})
    clients.push(made)
    return made
  }
  const control = client({ enableAutoPipelining: false })
  const info = async (section: string, name: string) =>
    new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(await control.info(section))?.[1] ?? 'unknown'
  return {
    version: await info('server', 'redis_version'),
    url,
    persistence,
    client,
    async cpuSeconds() {
      const used = [await info('cpu', 'used_cpu_user'), await info('cpu', 'used_cpu_sys')]
      return used.reduce((sum, seconds) => sum + Number(seconds), 0)
    },
    async close() {
      for (const made of clients) made.disconnect()
      await stop()
    },
  }
}

/** Starts one that writes every command to disk before it answers; `undefined` where there is none on the PATH. */
export async function startDurableRedis(): Promise<RedisUnderTest | undefined> {
  const server = await startServer({ appendonly: 'yes', appendfsync: 'always' })
  if (server === undefined) return undefined
  return connected(`redis://127.0.0.1:${server.port}`, 'appendfsync always', server.stop)
}

async function startServer(more: Readonly<Record<string, string>> = {}) {
  const port = await freePort()
  const folder = mkdtempSync(join(tmpdir(), 'howdah-bench-redis-'))
  const settings = { port, bind: '127.0.0.1', dir: folder, save: '', appendonly: 'no', ...more }
  const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)])
  const child = spawn('redis-server', args, { stdio: 'ignore' })
  const removeFolder = () => rmSync(folder, { recursive: true, force: true })
  // When we are interrupted there is no time for an orderly end.
  const kill = () => {
    child.kill('SIGKILL')
    removeFolder()
  }
  process.once('exit', kill)
  const stop = async () => {
    process.off('exit', kill)
    if (child.pid !== undefined && child.exitCode === null && child.signalCode === null) {
      const ended = once(child, 'exit')
      child.kill('SIGTERM')
      await ended
    }
    removeFolder()
  }
  if (await answers(child, port)) return { port, stop }
  await stop()
  return undefined
}

/** Waits until the server answers; false when it is not installed or ends at once. */
async function answers(child: ChildProcess, port: number): Promise<boolean> {
  let failed = false
  child.once('error', () => {
    failed = true
  })
  child.once('exit', () => {
    failed = true
  })
  const probe = new Redis({ port, host: '127.0.0.1', lazyConnect: true, retryStrategy: () => null })
  probe.on('error', () => {})
  try {
    for (const deadline = performance.now() + 10_000; performance.now() < deadline; ) {
      await later(20)
      if (failed) return false
      const connected = await probe.connect().then(
        () => true,
        () => false,
      )
      if (connected) return true
    }
    return false
  } finally {
    probe.disconnect()
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}
