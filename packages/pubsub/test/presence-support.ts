import { createHook } from 'node:async_hooks'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { Database, type DatabaseOptions } from '@howdah/core'
import pg from 'pg'
import { expect, onTestFinished } from 'vitest'
import { type Member, type Presence, PubSub } from '../src/index.js'

/** What an application has in one process; ended with the test. */
export class App {
  readonly pool: pg.Pool
  readonly db: Database
  readonly pubsub: PubSub
  readonly errors: unknown[] = []

  constructor(url: string, options: DatabaseOptions = {}) {
    this.pool = new pg.Pool({ connectionString: url, max: 4 })
    this.pool.on('error', () => {})
    this.db = Database.from(this.pool, {
      ...options,
      hub: { reconnectMax: '200ms', pollInterval: '20ms', ...options.hub },
    })
    this.pubsub = new PubSub({ pool: this.db })
    this.pubsub.on('error', (error) => this.errors.push(error))
    onTestFinished(() => this.close())
  }

  async close(): Promise<void> {
    await this.pubsub.close()
    await this.db.close()
    if (!this.pool.ended) await this.pool.end()
  }
}

/** Keeps what a subscription tells: the members as they are told to be, and every call. */
export class Audience {
  readonly members = new Map<string, unknown>()
  readonly log: string[] = []
  /** Calls that make no sense after those before. */
  readonly wrong: string[] = []

  readonly onJoin = ({ id, data }: Member): void => {
    if (this.members.has(id)) this.wrong.push(`${id} joined twice`)
    this.members.set(id, data)
    this.log.push(`join ${id}`)
  }

  readonly onUpdate = ({ id, data }: Member): void => {
    if (!this.members.has(id)) this.wrong.push(`${id} updated before it joined`)
    this.members.set(id, data)
    this.log.push(`update ${id}`)
  }

  readonly onLeave = ({ id }: Member): void => {
    if (!this.members.delete(id)) this.wrong.push(`${id} left before it joined`)
    this.log.push(`leave ${id}`)
  }

  get ids(): string[] {
    return [...this.members.keys()].sort()
  }
}

export async function watch<T>(presence: Presence<T>): Promise<Audience> {
  const audience = new Audience()
  await presence.subscribe(audience)
  return audience
}

export async function idsOf<T>(presence: Presence<T>): Promise<string[]> {
  return (await presence.list()).map(({ id }) => id).sort()
}

/** Looks again and again, for as long as a busy machine may take. */
export function eventually<T>(look: () => T) {
  return expect.poll(look, { timeout: 20_000, interval: 10 })
}

/** A process of its own whose members have joined. */
export async function startProcess(url: string, name: string, ids: string[], mode = 'listen') {
  const file = fileURLToPath(new URL('./fixtures/presence-process.ts', import.meta.url))
  const child = spawn(process.execPath, ['--import', 'tsx', file, url, name, mode, ...ids], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  const ended = once(child, 'exit')
  await Promise.race([once(child.stdout, 'data'), ended])
  expect(child.exitCode).toBe(null)
  return {
    kill: (signal: NodeJS.Signals) => child.kill(signal),
    async close(): Promise<unknown> {
      child.stdin.write('close\n')
      return (await ended)[0]
    },
  }
}

const WATCHED = new Set(['Timeout', 'TCPWRAP'])

/** Runs `work` and waits until no timer and no socket is open that our sources made meanwhile, also none that would let the process end. */
export async function leavesNothingOpen(work: () => Promise<void>): Promise<void> {
  const open = new Map<number, string>()
  const { stackTraceLimit } = Error
  Error.stackTraceLimit = 50
  const hook = createHook({
    init(id, type) {
      if (!WATCHED.has(type)) return
      const made = new Error().stack ?? ''
      if (/\/(core|pubsub)\/src\//.test(made)) open.set(id, `${type} ${made.slice(6)}`)
    },
    destroy(id) {
      open.delete(id)
    },
  }).enable()
  try {
    await work()
    await eventually(() => [...open.values()]).toEqual([])
  } finally {
    hook.disable()
    Error.stackTraceLimit = stackTraceLimit
  }
}
