import { type PostgresServer, startPostgres, type TestDatabase } from '@howdah/testkit'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Browser, ServerProcess } from './server-process.js'

const SCRIPTS = ['./express-server.ts', './fastify-server.ts', './hono-server.ts']

let postgres: PostgresServer
let database: TestDatabase
let servers: ServerProcess[]

beforeAll(async () => {
  // Durable, since a crash is what is tested.
  postgres = await startPostgres({ durable: true })
  database = await postgres.createDatabase()
  servers = await Promise.all(SCRIPTS.map((script) => ServerProcess.start(script, database.url)))
})
afterAll(async () => {
  for (const server of servers) await server[Symbol.asyncDispose]()
  await postgres.close()
})

const faults: [string, () => Promise<void>][] = [
  ['was restarted', () => postgres.restart()],
  [
    'was killed and started',
    async () => {
      await postgres.kill()
      await postgres.start()
    },
  ],
]

describe.each(faults)('when the database %s between requests', (_name, fail) => {
  test('every session that was acknowledged is there, and goes on', async () => {
    const browsers = await Promise.all(
      servers.map(async (server, at) => {
        const browser = new Browser()
        await browser.expect(server, 'POST', `/login/user-${at}`)
        await browser.expect(server, 'POST', '/put/before/1')
        return browser
      }),
    )
    await fail()
    for (const [at, browser] of browsers.entries()) {
      const server = servers[at] as ServerProcess
      const { user, keys } = await browser.expect(server, 'GET', '/me')
      expect(user).toBe(`user-${at}`)
      expect(keys).toContain('before')
      await browser.expect(server, 'POST', '/put/after/1')
      expect((await browser.expect(server, 'GET', '/me')).keys).toContain('after')
    }
  })

  test('every session that was ended stays so', async () => {
    for (const server of servers) {
      const browser = new Browser()
      await browser.expect(server, 'POST', '/login/gone')
      const copy = browser.copy()
      await browser.expect(server, 'POST', '/logout')
      await fail()
      expect((await copy.expect(server, 'GET', '/me')).user).toBe(null)
    }
  })
})

test('while the database is down a request fails, and is answered well once it is back', async () => {
  const logins = await Promise.all(
    servers.map(async (server) => {
      const browser = new Browser()
      await browser.expect(server, 'POST', '/login/patient')
      return browser
    }),
  )
  await postgres.stop()
  for (const [at, browser] of logins.entries()) {
    // Never taken for somebody without a session, whom the application would ask to log in.
    expect((await browser.copy().ask(servers[at] as ServerProcess, 'GET', '/me')).status).toBe(500)
  }
  await postgres.start()
  for (const [at, browser] of logins.entries()) {
    const { user } = await browser.expect(servers[at] as ServerProcess, 'GET', '/me')
    expect(user).toBe('patient')
  }
})
