/** What holds over HTTP whatever the framework is. Each is an application of this folder with the same routes. */
import { once } from 'node:events'
import { type TestDatabase, testDatabase } from '@howdah/testkit'
import type { Pool } from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Browser, ServerProcess } from './server-process.js'

/** Two processes of one application, for the tests of its file. */
export interface Processes {
  readonly database: TestDatabase
  readonly pool: Pool
  readonly one: ServerProcess
  readonly other: ServerProcess
}

/** Starts two processes of an application before the tests of a file. */
export function twoProcesses(script: string): () => Processes {
  let processes: Processes
  beforeAll(async () => {
    const database = await testDatabase()
    const [one, other] = await Promise.all([
      ServerProcess.start(script, database.url),
      ServerProcess.start(script, database.url),
    ])
    processes = { database, pool: database.pool(), one, other }
  })
  afterAll(async () => {
    await Promise.all([
      processes.one[Symbol.asyncDispose](),
      processes.other[Symbol.asyncDispose](),
    ])
    await processes.database.close()
  })
  return () => processes
}

/** Declares the tests. */
export function sessionsOverHttp(script: string, processes: () => Processes): void {
  declareLogin(script, processes)
  declareLogout(processes)
  declareConcurrency(processes)
  declareHostility(processes)
  declareWrites(script, processes)
}

async function login(server: ServerProcess, user: string): Promise<Browser> {
  const browser = new Browser()
  await browser.expect(server, 'POST', `/login/${user}`)
  return browser
}

async function userOf(browser: Browser, server: ServerProcess): Promise<unknown> {
  return (await browser.copy().expect(server, 'GET', '/me')).user
}

/** The row of a user's only session. */
async function rowOf(pool: Pool, user: string) {
  const { rows } = await pool.query(
    'select ctid::text, version, data from howdah.session where user_id = $1',
    [user],
  )
  expect(rows).toHaveLength(1)
  return rows[0] as { ctid: string; version: string; data: string }
}

function declareLogin(script: string, processes: () => Processes): void {
  test('login gives the session another id; the old one opens nothing', async () => {
    const { one, other } = processes()
    const browser = new Browser()
    await browser.expect(one, 'POST', '/view')
    const anonymous = browser.copy()
    await browser.expect(one, 'POST', '/login/ann')
    expect(browser.cookie).not.toBe(anonymous.cookie)
    expect(await userOf(browser, other)).toBe('ann')
    expect(await userOf(anonymous, other)).toBe(null)
    expect(await anonymous.expect(one, 'POST', '/view')).toEqual({ views: 1 })
  })

  test('an id that was planted in the browser is not adopted, valid or not', async () => {
    const { one, other } = processes()
    const attacker = new Browser()
    await attacker.expect(one, 'POST', '/view')
    const victim = attacker.copy()
    await victim.expect(other, 'POST', '/login/victim')
    expect(victim.cookie).not.toBe(attacker.cookie)
    expect(await userOf(attacker, one)).toBe(null)
    const ended = attacker.copy()
    await attacker.copy().expect(one, 'POST', '/logout')
    const planted = ended.copy()
    await planted.expect(other, 'POST', '/put/secret/1')
    expect(planted.cookie).not.toBe(ended.cookie)
    expect((await ended.copy().expect(one, 'GET', '/me')).keys).not.toContain('secret')
  })

  test('a session outlives the process that made it', async () => {
    const { database, one } = processes()
    const browser = new Browser()
    {
      await using server = await ServerProcess.start(script, database.url)
      await browser.expect(server, 'POST', '/login/restart')
    }
    expect(await userOf(browser, one)).toBe('restart')
    await using server = await ServerProcess.start(script, database.url)
    expect(await userOf(browser, server)).toBe('restart')
  })
}

function declareLogout(processes: () => Processes): void {
  test('logout ends the session for every process', async () => {
    const { one, other } = processes()
    const browser = await login(one, 'bob')
    const copy = browser.copy()
    expect(await userOf(copy, other)).toBe('bob')
    await browser.expect(one, 'POST', '/logout')
    expect([await userOf(copy, one), await userOf(copy, other)]).toEqual([null, null])
  })

  test('logout on all devices is effective at their next request, and nobody else notices', async () => {
    const { one, other } = processes()
    const devices = [await login(one, 'cat'), await login(other, 'cat'), await login(one, 'cat')]
    const neighbour = await login(other, 'dan')
    expect(await devices[0]?.copy().expect(one, 'POST', '/logout-everywhere')).toEqual({ ended: 3 })
    for (const device of devices) {
      for (const server of [one, other]) expect(await userOf(device, server)).toBe(null)
    }
    expect(await userOf(neighbour, one)).toBe('dan')
  })

  test('a request that is still running at logout does not log the user in again', async () => {
    const { one, other } = processes()
    for (const path of ['/logout', '/logout-everywhere']) {
      const browser = await login(one, 'eve')
      const waits = once(one.lines, 'line')
      const slow = browser.copy()
      const answer = slow.expect(one, 'POST', '/view?wait')
      await waits
      await browser.copy().expect(other, 'POST', path)
      await new Browser().expect(one, 'POST', '/release')
      expect(await answer).toEqual({ views: 1 })
      expect([await userOf(browser, one), await userOf(slow, other)]).toEqual([null, null])
    }
  })
}

function declareConcurrency(processes: () => Processes): void {
  test('of 100 parallel requests over two processes that write different keys all count', async () => {
    const { one, other } = processes()
    const browser = await login(one, 'fay')
    const keys = Array.from({ length: 100 }, (_, at) => `k${String(at).padStart(2, '0')}`)
    await Promise.all(
      keys.map((key) =>
        browser
          .copy()
          .expect(Math.random() < 0.5 ? one : other, 'POST', `/put/${key}/${Math.random()}`),
      ),
    )
    const { keys: kept, user } = await browser.expect(other, 'GET', '/me')
    expect(user).toBe('fay')
    expect(kept).toEqual(expect.arrayContaining(keys))
  })

  test('two requests that run at once have a state of their own each', async () => {
    const { one, other } = processes()
    const browser = await login(one, 'gus')
    const waits = once(one.lines, 'line')
    const slow = browser.copy().expect(one, 'POST', '/view?wait')
    await waits
    await browser.copy().expect(one, 'POST', '/put/quick/1')
    await browser.copy().expect(other, 'POST', '/put/elsewhere/1')
    await new Browser().expect(one, 'POST', '/release')
    await slow
    const { keys } = await browser.expect(other, 'GET', '/me')
    expect(keys).toEqual(expect.arrayContaining(['quick', 'elsewhere', 'views', 'user']))
  })
}

function declareHostility(processes: () => Processes): void {
  test('forged, truncated and oversized cookies open nothing and harm nobody', async () => {
    const { one, other } = processes()
    const browser = await login(one, 'hal')
    const [name, value = ''] = String(browser.cookie).split(/=(.*)/s)
    const forged = [
      value.slice(0, -1),
      value.slice(0, 20),
      `${value}x`,
      `${value.slice(0, 9)}${value[9] === 'A' ? 'B' : 'A'}${value.slice(10)}`,
      '',
      'A'.repeat(43),
      'A'.repeat(6_000),
      '%00%ff',
      '__proto__',
      `'; drop table howdah.session; --`,
      `${'x'.repeat(43)}; ${name}=${'y'.repeat(43)}`,
    ]
    for (const cookie of forged) {
      const answer = await new Browser(`${name}=${cookie}`).expect(other, 'GET', '/me')
      expect(answer.user).toBe(null)
    }
    const tooMuch = await new Browser(`${name}=${'A'.repeat(20_000)}`).ask(other, 'GET', '/me')
    expect(tooMuch.status).toBe(431)
    expect(await userOf(browser, other)).toBe('hal')
  })

  test('a key __proto__ in a stored session reaches no prototype', async () => {
    const { one, pool } = processes()
    const browser = await login(one, 'ida')
    await browser.expect(one, 'POST', '/put/__proto__/admin')
    const stored = await pool.query(
      `update howdah.session set data = '{"__proto__":{"admin":true,"user":"root"},' || substr(data, 2), version = version + 1
       where user_id = 'ida'`,
    )
    expect(stored.rowCount).toBe(1)
    expect(await browser.expect(one, 'GET', '/me')).toMatchObject({ user: 'ida', polluted: false })
    await browser.expect(one, 'POST', '/put/constructor/1')
    await browser.expect(one, 'POST', '/put/plain/1')
    const after = await browser.expect(one, 'GET', '/me')
    expect(after).toMatchObject({ user: 'ida', polluted: false })
    expect(after.keys).toContain('plain')
  })

  test('a session of 5 MB is refused with a code, and nothing of it is stored', async () => {
    const { one, other, pool } = processes()
    const browser = await login(one, 'jim')
    const before = await rowOf(pool, 'jim')
    const { status, body } = await browser.copy().ask(one, 'POST', '/fill/5000000')
    expect({ status, code: body.code }).toEqual({ status: 500, code: 'SESSION_TOO_LARGE' })
    expect(await rowOf(pool, 'jim')).toEqual(before)
    await browser.expect(other, 'POST', '/fill/100000')
    expect((await browser.expect(one, 'GET', '/me')).keys).toContain('filling')
  })
}

function declareWrites(script: string, processes: () => Processes): void {
  test('a session that is only read costs no write', async () => {
    const { one, other, pool } = processes()
    const browser = await login(one, 'kim')
    const before = await rowOf(pool, 'kim')
    for (let at = 0; at < 20; at++) await browser.expect(at % 2 ? one : other, 'GET', '/me')
    expect(await rowOf(pool, 'kim')).toEqual(before)
  })

  test('a thousand requests of visitors who store nothing write no row', async () => {
    await using database = await testDatabase()
    await using server = await ServerProcess.start(script, database.url)
    const visits = async () => {
      for (let at = 0; at < 50; at++) {
        const visitor = new Browser()
        await visitor.expect(server, 'GET', '/me')
        await visitor.expect(server, 'GET', '/me')
      }
    }
    await Promise.all(Array.from({ length: 10 }, visits))
    // Where nothing was asked of the database the table is not even there.
    const { rows } = await database
      .pool()
      .query(`select coalesce(pg_relation_size(to_regclass('howdah.session')), 0)::int as bytes`)
    expect(rows).toEqual([{ bytes: 0 }])
  })
}
