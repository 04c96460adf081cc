import { Sessions, type SessionsOptions } from '@howdah/session'
import {
  type RequestSession,
  type SessionEnv,
  type SessionMiddlewareOptions,
  session,
} from '@howdah/session/hono'
import { type TestDatabase, testDatabase } from '@howdah/testkit'
import { Hono } from 'hono'
import { stream, streamText } from 'hono/streaming'
import { Pool } from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { sessionsOverHttp, twoProcesses } from './sessions-over-http.js'

interface Data {
  userId?: string
  views?: number
  [key: string]: unknown
}
type OnSession = (session: RequestSession<Data>) => unknown

let database: TestDatabase
let pool: Pool

beforeAll(async () => {
  database = await testDatabase()
  pool = database.pool()
})
afterAll(() => database.close())

const processes = twoProcesses('./hono-server.ts')
describe('over HTTP', () => sessionsOverHttp('./hono-server.ts', processes))

/** An application whose one route does what it is told, and a browser of it. */
function application(
  options: Partial<SessionsOptions<Data>> = {},
  middleware: SessionMiddlewareOptions = {},
) {
  const sessions = new Sessions<Data>({ pool, ...options })
  const app = new Hono<SessionEnv<Data>>()
  let handle: OnSession = () => undefined
  app.use(session(sessions, middleware))
  app.get('/', async (c) => c.json({ answer: (await handle(c.var.session)) ?? null }))
  app.onError((error, c) => c.json({ code: (error as { code?: string }).code }, 500))
  const visit = async (cookie: string | undefined, run: OnSession = () => undefined) => {
    handle = run
    const headers = cookie === undefined ? {} : { cookie: `session=${cookie}` }
    const response = await app.request('/', { headers })
    const set = response.headers.getSetCookie()
    return {
      status: response.status,
      ...((await response.json()) as { answer?: unknown; code?: string }),
      set,
      cookie: /^[^=]+=([\w-]{43});/.exec(set[0] ?? '')?.[1],
    }
  }
  return { sessions, app, visit, [Symbol.asyncDispose]: () => sessions.close() }
}

describe('the cookie', () => {
  test('says HttpOnly, Secure and SameSite=Lax, and lives as long as the session', async () => {
    await using one = application({ ttl: '1h' })
    const { set } = await one.visit(undefined, (session) => session.set('userId', 'a'))
    expect(set).toEqual([
      expect.stringMatching(
        /^session=[\w-]{43}; Max-Age=3(?:600|59\d); Path=\/; HttpOnly; Secure; SameSite=Lax$/,
      ),
    ])
  })

  test('is as it is told to be, and lives for 400 days at most', async () => {
    const cookie = { name: '__Host-id', sameSite: 'Strict', partitioned: true } as const
    await using one = application({ ttl: '1000d' }, { cookie })
    const { set } = await one.visit(undefined, (session) => session.set('userId', 'a'))
    expect(set[0]).toMatch(/^__Host-id=[\w-]{43}; Max-Age=34560000; .*Strict; Partitioned$/)
  })

  test.each<[string, SessionMiddlewareOptions['cookie']]>([
    ['a name with a space', { name: 'my session' }],
    ['an empty name', { name: '' }],
    ['a __Host- cookie of a domain', { name: '__Host-id', domain: 'example.com' }],
    ['a __Host- cookie that is not secure', { name: '__Host-id', secure: false }],
    ['a __Secure- cookie that is not secure', { name: '__Secure-id', secure: false }],
    ['SameSite=None without Secure', { sameSite: 'None', secure: false }],
    ['an unknown SameSite', { sameSite: 'Sometimes' as 'Lax' }],
    ['a path that is another attribute', { path: '/; Domain=example.com' }],
  ])('%s is refused at once', (_name, cookie) => {
    const sessions = new Sessions<Data>({ pool })
    expect(() => session(sessions, { cookie })).toThrowError(
      expect.objectContaining({ code: 'SESSION_INVALID_OPTION' }),
    )
  })

  test('that nobody was given is not looked up', async () => {
    // Nothing listens there, so whatever asks the database fails.
    const nowhere = new Pool({ host: '127.0.0.1', port: 1 })
    await using one = application({ pool: nowhere })
    const id = 'a'.repeat(43)
    const forged = ['', 'x', id.slice(1), `${id}a`, id.replace('a', '.'), '%', 'a'.repeat(100_000)]
    forged.push(`${id.slice(1)}%00`, `"${id}`, `${id} ${id}`, `${id.slice(1)}%C3%A9`)
    for (const cookie of forged) expect((await one.visit(cookie)).status).toBe(200)
    expect((await one.visit(id)).status).toBe(500)
    await nowhere.end()
  })

  test('is sent again when the session is prolonged, and not otherwise', async () => {
    await using one = application({ touchEvery: 0.5 })
    const { cookie } = await one.visit(undefined, (session) => session.set('userId', 'touch'))
    const read = await one.visit(cookie, (session) => session.get('userId'))
    expect([read.answer, read.set]).toEqual(['touch', []])
    await pool.query(
      `update howdah.session set expires_at = expires_at - interval '13h', expires_hour = expires_hour - 13 where user_id = 'touch'`,
    )
    expect((await one.visit(cookie)).cookie).toBe(cookie)
    expect((await one.visit(cookie)).set).toEqual([])
  })
})

describe('the session', () => {
  test('is not stored before something is set, nor when it was taken away again', async () => {
    await using one = application({ name: 'lazy' })
    const first = await one.visit(undefined, (session) => session.id)
    expect([first.answer, first.set]).toEqual([null, []])
    const second = await one.visit(undefined, (session) => {
      session.set('views', 1)
      session.delete('views')
    })
    expect(second.set).toEqual([])
    expect(await one.sessions.count()).toBe(0)
  })

  test('holds what was set, under any key, and nothing that it inherits', async () => {
    await using one = application()
    const inherited: string = 'constructor'
    const { cookie } = await one.visit(undefined, (session) => {
      session.set('__proto__', { admin: true })
      session.set(inherited, 1)
      session.data['list'] = [1, { two: 2 }]
    })
    const { answer } = await one.visit(cookie, (session) => [
      session.get('__proto__'),
      session.get(inherited),
      typeof session.get('toString'),
      session.get('list'),
      'admin' in session.data,
    ])
    expect(answer).toEqual([{ admin: true }, 1, 'undefined', [1, { two: 2 }], false])
  })

  test('regenerate() keeps what it holds and changes its id', async () => {
    await using one = application()
    const { cookie } = await one.visit(undefined, (session) => session.set('views', 1))
    const login = await one.visit(cookie, async (session) => {
      const before = session.id
      await session.regenerate()
      session.set('userId', 'r')
      return session.id !== before
    })
    expect(login.answer).toBe(true)
    expect(login.cookie).not.toBe(cookie)
    expect((await one.visit(cookie, ({ data }) => data)).answer).toEqual({})
    expect((await one.visit(login.cookie, ({ data }) => data)).answer).toEqual({
      views: 1,
      userId: 'r',
    })
  })

  test('regenerate() of a session that has ended meanwhile begins one with nothing of it', async () => {
    await using one = application()
    const { cookie } = await one.visit(undefined, (session) => session.set('userId', 'revoked'))
    const late = await one.visit(cookie, async (session) => {
      await one.sessions.revokeAll('revoked')
      await session.regenerate()
      session.set('views', 1)
      return session.data
    })
    expect(late.answer).toEqual({ views: 1 })
    expect((await one.visit(late.cookie, ({ data }) => data)).answer).toEqual({ views: 1 })
  })

  test('that ended while its request ran is not stored again, and no cookie is taken away', async () => {
    await using one = application()
    const { cookie } = await one.visit(undefined, (session) => session.set('userId', 'ended'))
    const late = await one.visit(cookie, async (session) => {
      await one.sessions.revokeAll('ended')
      session.set('views', 1)
      const saved = [await session.save(), await session.save()]
      session.set('views', 2)
      return saved
    })
    expect([late.answer, late.set]).toEqual([[false, false], []])
    expect((await one.visit(cookie, ({ data }) => data)).answer).toEqual({})
  })

  test('destroy() ends it and takes the cookie back; what is set then begins another', async () => {
    await using one = application()
    const { cookie } = await one.visit(undefined, (session) => session.set('userId', 'd'))
    const again = await one.visit(cookie, async (session) => {
      await session.destroy()
      session.set('views', 7)
    })
    expect(again.cookie).not.toBe(cookie)
    expect((await one.visit(again.cookie, ({ data }) => data)).answer).toEqual({ views: 7 })
    const { set } = await one.visit(again.cookie, (session) => session.destroy())
    expect(set).toEqual([expect.stringMatching(/^session=; Max-Age=0; Path=\//)])
    expect((await one.visit(again.cookie, ({ data }) => data)).answer).toEqual({})
  })

  test('saved twice at once is one session', async () => {
    await using one = application({ name: 'twice' })
    await one.visit(undefined, async (session) => {
      session.set('userId', 't')
      void session.save()
      session.set('views', 1)
      void session.save()
    })
    const [listed, ...more] = await one.sessions.listByUser('t')
    expect([listed === undefined, more]).toEqual([false, []])
  })

  test('is saved when the handler throws, and an error of the save is answered as one', async () => {
    await using one = application({ maxBytes: 100 })
    const { status, set, cookie } = await one.visit(undefined, (session) => {
      session.set('views', 1)
      throw new Error('on purpose')
    })
    expect([status, set.length]).toEqual([500, 1])
    const large = await one.visit(cookie, (session) => session.set('text', 'x'.repeat(100)))
    expect([large.status, large.code]).toEqual([500, 'SESSION_TOO_LARGE'])
    expect((await one.visit(cookie, ({ data }) => data)).answer).toEqual({ views: 1 })
  })

  test('is one where the middleware is mounted twice, as by a part of an application', async () => {
    await using one = application({ name: 'mounted' })
    const part = new Hono<SessionEnv<Data>>()
    part.use((c, next) => {
      c.var.session.set('outside', 1)
      return next()
    })
    part.use(session(one.sessions))
    part.get('/', (c) => {
      c.var.session.set('inside', 1)
      return c.body(null)
    })
    one.app.route('/part', part)
    const response = await one.app.request('/part')
    expect(response.headers.getSetCookie()).toHaveLength(1)
    const [, cookie] = /^session=([\w-]{43});/.exec(response.headers.get('set-cookie') ?? '') ?? []
    expect((await one.visit(cookie, ({ data }) => data)).answer).toEqual({ outside: 1, inside: 1 })
  })

  test('says where it began', async () => {
    const device = () => ({ address: '192.0.2.1', label: 'kitchen' })
    await using one = application({}, { device })
    await one.visit(undefined, (session) => session.set('userId', 'device'))
    const [listed] = await one.sessions.listByUser('device')
    expect(listed?.device).toEqual({ address: '192.0.2.1', label: 'kitchen' })
  })
})

describe('a response that is a stream', () => {
  test('has the cookie of what was set before it began, and keeps what save() stores while it runs', async () => {
    await using one = application()
    one.app.get('/stream', (c) => {
      c.var.session.set('userId', 'stream')
      return streamText(c, async (out) => {
        await out.write('one ')
        c.var.session.set('views', 2)
        await c.var.session.save()
        await out.write('two')
      })
    })
    const response = await one.app.request('/stream')
    const [, cookie] = /^session=([\w-]{43});/.exec(response.headers.get('set-cookie') ?? '') ?? []
    expect(await response.text()).toBe('one two')
    expect((await one.visit(cookie, ({ data }) => data)).answer).toEqual({
      userId: 'stream',
      views: 2,
    })
  })

  test('refuses an id that the browser cannot be given any more', async () => {
    await using one = application({ name: 'late' })
    let begin = () => {}
    const begun = new Promise<void>((resolve) => {
      begin = resolve
    })
    one.app.get('/stream', (c) =>
      stream(c, async (out) => {
        await begun
        c.var.session.set('views', 1)
        const error: unknown = await c.var.session.save().catch((error) => error)
        await out.write((error as { code: string }).code)
      }),
    )
    const response = await one.app.request('/stream')
    expect(response.headers.get('set-cookie')).toBe(null)
    begin()
    expect(await response.text()).toBe('SESSION_HEADERS_SENT')
    expect(await one.sessions.count()).toBe(0)
  })

  test('of another server can be passed on', async () => {
    await using one = application()
    one.app.get('/passed-on', async (c) => {
      c.var.session.set('views', 1)
      const { headers } = Response.json({})
      return fetch(`data:text/plain,${headers.get('content-type')}`)
    })
    const response = await one.app.request('/passed-on')
    expect(response.headers.get('set-cookie')).toMatch(/^session=/)
    expect(await response.text()).toBe('application/json')
  })
})
