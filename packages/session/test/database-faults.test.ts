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
  test('every session that was acknowledged is there and goes on, and none that was ended', async () => {
    const visits = await Promise.all(
      servers.map(async (server, at) => {
        const [browser, gone] = [new Browser(), new Browser()]
        await browser.expect(server, 'POST', `/login/user-${at}`)
        await browser.expect(server, 'POST', '/put/before/1')
        await gone.expect(server, 'POST', '/login/gone')
        await gone.copy().expect(server, 'POST', '/logout')
        return { server, browser, gone }
      }),
    )
    await fail()
    for (const [at, { server, browser, gone }] of visits.entries()) {
      const { user, keys } = await browser.expect(server, 'GET', '/me')
      expect(user).toBe(`user-${at}`)
      expect(keys).toContain('before')
      await browser.expect(server, 'POST', '/put/after/1')
      expect((await browser.expect(server, 'GET', '/me')).keys).toContain('after')
      expect((await gone.expect(server, 'GET', '/me')).user).toBe(null)
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
