import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { accessSync, constants } from 'node:fs'
import { createServer } from 'node:net'
import { fileURLToPath } from 'node:url'
import { startPostgres, startProxy } from '@howdah/testkit'
import pg from 'pg'
import { type BrowserContext, chromium, type Page } from 'playwright-core'
import { expect, onTestFinished, test } from 'vitest'
import { notTested } from '../../../scripts/not-tested.js'
import { PubSub } from '../src/index.js'
import { bundleClient } from './bundle.js'

const executablePath = ['/usr/bin/chromium', '/usr/bin/google-chrome'].find(isExecutable)
if (executablePath === undefined) {
  notTested('gateways in a real browser', 'there is no Chromium; the client ran in Node')
}

const STREAM = 'list'

interface Lists {
  readonly byWebSocket: readonly number[]
  readonly byEvents: readonly number[]
}

test.runIf(executablePath !== undefined)(
  'two pages end with the same complete list, in order, whatever is killed, restarted or cut',
  async () => {
    const server = await startPostgres()
    onTestFinished(() => server.close())
    const database = await server.createDatabase()
    const gateway = await Gateway.start(database.url)
    const proxy = await startProxy({ host: '127.0.0.1', port: gateway.port })
    onTestFinished(() => proxy.close())
    const browser = await chromium.launch({
      executablePath: executablePath as string,
      args: ['--no-sandbox', '--disable-background-networking', '--no-first-run'],
    })
    onTestFinished(() => browser.close())
    const contexts = await Promise.all([browser.newContext(), browser.newContext()])
    const pages = await Promise.all(
      contexts.map((context) => open(context, `http://127.0.0.1:${proxy.port}/`)),
    )
    const pool = new pg.Pool({ connectionString: database.url })
    pool.on('error', () => {})
    onTestFinished(() => pool.end())
    const pubsub = new PubSub({ pool })
    const writer = new Writer(pubsub)
    onTestFinished(async () => {
      await writer.stop()
      await pubsub.close()
    })

    const faults: Readonly<Record<string, () => Promise<unknown>>> = {
      'the gateway is killed and started': () => gateway.restart(),
      'PostgreSQL crashes and starts': async () => {
        await server.kill()
        await server.start()
      },
      'the network is cut': async () => proxy.cut(),
      'the network goes silent': async () => {
        proxy.freeze()
        // The client gives up and starts anew, into the silence; an EventSource cannot know, and waits.
        await Promise.all(pages.map((page) => page.waitForFunction('states.at(-1) === "waiting"')))
        proxy.thaw()
      },
      'the browser is offline': async () => {
        await Promise.all(contexts.map((context) => context.setOffline(true)))
        proxy.cut()
        await writer.more(20)
        await Promise.all(contexts.map((context) => context.setOffline(false)))
      },
      'the gateway is killed and started once more': () => gateway.restart(),
    }
    for (const fault of Object.values(faults)) {
      await writer.more(20)
      await fault()
      await writer.more(20)
      const least = writer.appended
      // Both are on their feet before the next blow.
      await expect
        .poll(async () => shortest(await Promise.all(pages.map(lists))), { timeout: 30_000 })
        .toBeGreaterThanOrEqual(least)
    }
    await writer.stop()
    const all = await writer.everything()
    expect(all.length).toBeGreaterThan(240)
    for (const page of pages) {
      await expect
        .poll(async () => shortest([await lists(page)]))
        .toBeGreaterThanOrEqual(all.length)
      expect(await lists(page)).toEqual({ byWebSocket: all, byEvents: all })
    }
  },
  120_000,
)

async function open(context: BrowserContext, url: string): Promise<Page> {
  const page = await context.newPage()
  await page.goto(url)
  await expect.poll(() => page.title()).toBe('subscribed')
  return page
}

function lists(page: Page): Promise<Lists> {
  return page.evaluate('({ byWebSocket, byEvents })')
}

function shortest(all: readonly Lists[]): number {
  return Math.min(...all.flatMap((one) => [one.byWebSocket.length, one.byEvents.length]))
}

/** Appends numbers all the time, each once, however often the server fails. */
class Writer {
  readonly #pubsub: PubSub
  readonly #work: Promise<void>
  #stopped = false
  appended = 0

  constructor(pubsub: PubSub) {
    this.#pubsub = pubsub
    this.#work = this.#write()
  }

  async more(count: number): Promise<void> {
    const goal = this.appended + count
    await expect.poll(() => this.appended, { interval: 5, timeout: 30_000 }).toBeGreaterThan(goal)
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await this.#work
  }

  async everything(): Promise<number[]> {
    const { messages } = await this.#pubsub.stream<number>(STREAM).read({ limit: 10_000 })
    return messages.map(({ payload }) => payload)
  }

  async #write(): Promise<void> {
    const stream = this.#pubsub.stream<number>(STREAM)
    for (let n = 0; !this.#stopped; ) {
      try {
        await stream.append(n, { dedupKey: String(n) })
        this.appended = ++n
      } catch {
        // The server is away, and the key makes it safe to try again.
      }
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }
}

/** The server of the pages, in a process of its own and always on one port. */
class Gateway {
  readonly port: number
  readonly #args: readonly string[]
  readonly #env: NodeJS.ProcessEnv
  #child: ChildProcess | undefined

  static async start(databaseUrl: string): Promise<Gateway> {
    const { text } = await bundleClient()
    const port = await freePort()
    const gateway = new Gateway(databaseUrl, port, text)
    await gateway.#start()
    onTestFinished(() => gateway.#kill())
    return gateway
  }

  private constructor(databaseUrl: string, port: number, bundle: string) {
    this.port = port
    const file = fileURLToPath(new URL('./fixtures/gateway-server.ts', import.meta.url))
    this.#args = ['--import', 'tsx', file, databaseUrl, String(port), STREAM]
    this.#env = { ...process.env, CLIENT_BUNDLE: bundle }
  }

  async restart(): Promise<void> {
    await this.#kill()
    await this.#start()
  }

  async #start(): Promise<void> {
    this.#child = spawn(process.execPath, this.#args, {
      env: this.#env,
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    if (this.#child.stdout) await once(this.#child.stdout, 'data')
  }

  async #kill(): Promise<void> {
    const child = this.#child
    this.#child = undefined
    if (child === undefined || child.exitCode !== null) return
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (typeof address === 'object' && address !== null) return address.port
  throw new Error('No port.')
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}
