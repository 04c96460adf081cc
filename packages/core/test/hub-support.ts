import { createHook } from 'node:async_hooks'
import type { TestDatabase } from '@howdah/testkit'
import type { PoolConfig } from 'pg'
import pg from 'pg'
import { expect } from 'vitest'
import { Database, type DatabaseOptions, type HubHandler, type HubState } from '../src/index.js'

/** Notes what a handler is told, in order. */
export class Recorder implements HubHandler {
  readonly log: (string | readonly [name: string, payload: unknown])[] = []

  onMessage(name: string, payload: unknown): void {
    this.log.push([name, payload])
  }

  onGap(): void | Promise<void> {
    this.log.push('gap')
  }

  get messages(): (readonly [name: string, payload: unknown])[] {
    return this.log.filter((entry) => typeof entry !== 'string')
  }

  get payloads(): unknown[] {
    return this.messages.map(([, payload]) => payload)
  }

  get gaps(): number {
    return this.log.filter((entry) => entry === 'gap').length
  }
}

/**
 * A database handle with its pool, closed together as an application does. Unless a test asks for it, a connection that is slow on a
 * busy machine is not taken for dead.
 */
export class App implements AsyncDisposable {
  readonly pool: pg.Pool
  readonly db: Database
  readonly states: HubState[] = []
  readonly errors: unknown[] = []

  constructor(url: string, options: DatabaseOptions = {}, pool: PoolConfig = {}) {
    this.pool = new pg.Pool({ connectionString: url, max: 4, ...pool })
    this.pool.on('error', () => {})
    this.db = Database.from(this.pool, { ...options, hub: { liveness: '1m', ...options.hub } })
    this.db.hub.on('state', (state) => this.states.push(state))
    this.db.hub.on('error', (error) => this.errors.push(error))
  }

  get hub(): Database['hub'] {
    return this.db.hub
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.db.close()
    await this.pool.end()
  }
}

/** Looks again and again, for as long as a busy machine may take, until the matcher that follows is met. */
export function eventually<T>(look: () => T) {
  return expect.poll(look, { timeout: 20_000, interval: 10 })
}

/** Sessions of the database that listen, by what they ran last or by what they are named. */
export async function hubSessions(database: TestDatabase): Promise<number> {
  const sessions = await database.sessions()
  return sessions.filter(({ applicationName }) => applicationName === 'howdah').length
}

/**
 * Runs `work` and waits until no timer and no socket is open that core made meanwhile, nor one that these made: also those that would
 * not keep the process alive, which `process.getActiveResourcesInfo()` does not show.
 */
export async function leavesNothingOpen(work: () => Promise<void>): Promise<void> {
  const open = new Map<number, string>()
  const { stackTraceLimit } = Error
  Error.stackTraceLimit = 50
  const hook = createHook({
    init(id, type) {
      if (!WATCHED.has(type)) return
      const made = new Error().stack ?? ''
      if (made.includes('/core/src/')) open.set(id, `${type} ${made.slice(6)}`)
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

const WATCHED = new Set(['Timeout', 'TCPWRAP', 'PIPEWRAP', 'TLSWRAP', 'GETADDRINFOREQWRAP'])
