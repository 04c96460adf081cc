import { findPgBouncer, startPgBouncer, testDatabase } from '@howdah/testkit'
import pg from 'pg'
import { expect, test } from 'vitest'
import { notTested } from '../../../scripts/not-tested.js'

const present = findPgBouncer() !== undefined
if (!present) notTested('testkit behind PgBouncer', 'there is no pgbouncer on this machine')

async function backends(mode: 'transaction' | 'session'): Promise<number> {
  await using db = await testDatabase()
  const settings = { default_pool_size: 2 }
  await using bouncer = await startPgBouncer({ url: db.url, poolMode: mode, settings })
  const clients = [1, 2].map(() => new pg.Client(bouncer.url))
  const seen = new Set<number>()
  for (const client of clients) {
    client.on('error', () => {})
    await client.connect()
    const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid')
    seen.add(Number(rows[0]?.pid))
  }
  await Promise.all(clients.map((client) => client.end()))
  return seen.size
}

test.runIf(present)(
  'in transaction mode two idle clients share one server connection',
  async () => {
    expect(await backends('transaction')).toBe(1)
  },
)

test.runIf(present)('in session mode each client has a server connection of its own', async () => {
  expect(await backends('session')).toBe(2)
})

test.runIf(present)(
  "a wrong password is refused, and a broken setting tells PgBouncer's reason",
  async () => {
    await using db = await testDatabase()
    await using bouncer = await startPgBouncer({ url: db.url, poolMode: 'session' })
    const url = new URL(bouncer.url)
    url.password = 'guess'
    await expect(new pg.Client(url.href).connect()).rejects.toThrow(/SASL|password/)
    await expect(
      startPgBouncer({ url: db.url, poolMode: 'session', settings: { listen_backlog: 'many' } }),
    ).rejects.toMatchObject({
      code: 'TESTKIT_START_FAILED',
      message: expect.stringContaining('listen_backlog'),
    })
  },
)
