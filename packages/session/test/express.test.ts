import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface, type Interface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { PgSessionStore } from '@howdah/session/express'
import { sessionStoreConformance, type TestDatabase, testDatabase } from '@howdah/testkit'
import type { SessionData } from 'express-session'
import type { Pool } from 'pg'
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest'

let database: TestDatabase
let pool: Pool

beforeAll(async () => {
  database = await testDatabase()
  pool = database.pool()
})
afterAll(() => database.close())

sessionStoreConformance({ describe, it }, async () => {
  const store = new PgSessionStore({ pool })
  await store.sessions.count()
  await pool.query('delete from howdah.session')
  return { subject: store, dispose: () => store.close() }
})

/** The application of `express-server.ts` in a process of its own. */
class Server {
  readonly lines: Interface
  readonly #child: ChildProcessByStdio<Writable, Readable, null>
  #url = ''

  constructor() {
    const script = fileURLToPath(new URL('./express-server.ts', import.meta.url))
    this.#child = spawn(process.execPath, ['--import', 'tsx', script], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...process.env, TEST_DATABASE_URL: database.url },
    })
    this.lines = createInterface(this.#child.stdout)
  }

  static async start(): Promise<Server> {
    const server = new Server()
    const [line] = await once(server.lines, 'line')
    server.#url = `http://127.0.0.1:${String(line).replace('port ', '')}`
    return server
  }

  async stop(): Promise<void> {
    const exited = once(this.#child, 'exit')
    this.#child.stdin.end()
    await exited
  }

  async ask(browser: Browser, method: string, path: string): Promise<Record<string, unknown>> {
    const headers = browser.cookie === undefined ? {} : { cookie: browser.cookie }
    const response = await fetch(`${this.#url}${path}`, { method, headers })
    expect(response.status).toBe(200)
    const [cookie] = response.headers.getSetCookie()
    if (cookie !== undefined) browser.cookie = cookie.split(';')[0]
    return (await response.json()) as Record<string, unknown>
  }
}

interface Browser {
  cookie?: string | undefined
}

async function withServer(body: (server: Server) => Promise<void>): Promise<void> {
  const server = await Server.start()
  try {
    await body(server)
  } finally {
    await server.stop()
  }
}

test('login regenerates the session, which outlives a restart and ends with logout', async () => {
  const browser: Browser = {}
  await withServer(async (server) => {
    await server.ask(browser, 'POST', '/view')
    const anonymous = { ...browser }
    await server.ask(browser, 'POST', '/login/ann')
    expect(browser.cookie).not.toBe(anonymous.cookie)
    expect(await server.ask(browser, 'GET', '/me')).toMatchObject({ user: 'ann' })
    expect(await server.ask({ ...anonymous }, 'POST', '/view')).toEqual({ views: 1 })
  })
  await withServer(async (server) => {
    const { user, maxAge } = await server.ask(browser, 'GET', '/me')
    expect(user).toBe('ann')
    expect(maxAge).toBeGreaterThan(3_500_000)
    const old = { ...browser }
    await server.ask(browser, 'POST', '/logout')
    expect(await server.ask(old, 'GET', '/me')).toMatchObject({ user: null })
  })
})

test('parallel requests of one browser all find their session', async () => {
  await withServer(async (server) => {
    const browser: Browser = {}
    await server.ask(browser, 'POST', '/login/bea')
    const answers = await Promise.all(
      Array.from({ length: 40 }, () => server.ask({ ...browser }, 'GET', '/me')),
    )
    expect(new Set(answers.map(({ user }) => user))).toEqual(new Set(['bea']))
  })
})

test('a request that is still running at logout does not log the user in again', async () => {
  await withServer(async (server) => {
    const browser: Browser = {}
    await server.ask(browser, 'POST', '/login/cat')
    const waits = once(server.lines, 'line')
    const slow = server.ask({ ...browser }, 'POST', '/view?wait')
    await waits
    const before = { ...browser }
    await server.ask(browser, 'POST', '/logout')
    await server.ask({}, 'POST', '/release')
    await slow
    expect(await server.ask(before, 'GET', '/me')).toMatchObject({ user: null })
  })
})

test('touch() moves the expiry of the cookie that get() answers', async () => {
  const store = new PgSessionStore({ pool })
  const cookie = { originalMaxAge: 60_000, expires: new Date('2001-01-01'), path: '/' }
  const call = <T>(start: (done: (error: unknown, value?: T) => void) => void) =>
    new Promise<T | undefined>((resolve, reject) => {
      start((error, value) => (error ? reject(error) : resolve(value)))
    })
  const session = { cookie } as SessionData
  await call((done) => store.set('t', session, done))
  const longer = { cookie: { ...cookie, originalMaxAge: 600_000 } } as SessionData
  await call((done) => store.touch('t', longer, done))
  const found = await call<SessionData | null>((done) => store.get('t', done))
  const { rows } = await pool.query(
    `select extract(epoch from expires_at) * 1000 as at from howdah.session where id_hash = sha256('t')`,
  )
  const expires = new Date(found?.cookie.expires as unknown as string).getTime()
  expect(Math.abs(expires - Number(rows[0].at))).toBeLessThan(2)
  expect(await call<string[]>((done) => store.ids(done))).toHaveLength(
    (await call<number>((done) => store.length(done))) ?? 0,
  )
  await store.close()
})

test('an error of the database reaches the callback, once', async () => {
  const store = new PgSessionStore({ pool })
  const errors: unknown[] = []
  await new Promise<void>((resolve) => {
    store.set('', { cookie: {} } as SessionData, (error) => {
      errors.push(error)
      resolve()
    })
  })
  expect(errors).toMatchObject([{ code: 'SESSION_INVALID_ID' }])
  await store.close()
})
