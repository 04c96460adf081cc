/** An application with @fastify/session and its defaults, run as a process of its own: prints its port, and ends when its input does. */
import type { AddressInfo } from 'node:net'
import cookie from '@fastify/cookie'
import session from '@fastify/session'
import { FastifySessionStore } from '@howdah/session/fastify'
import Fastify from 'fastify'
import { describeSession, pool, release, started, waitIfAsked } from './server-main.js'

declare module 'fastify' {
  interface Session {
    user?: string
    views?: number
    [key: string]: unknown
  }
}

const store = new FastifySessionStore({ pool, userId: ({ user }) => user })
const app = Fastify({ forceCloseConnections: true })
await app.register(cookie)
await app.register(session, {
  store,
  secret: 'a secret of at least 32 characters',
  cookie: { secure: false, maxAge: 3_600_000 },
})
interface Params {
  readonly Params: Record<string, string>
}
app.post<Params>('/login/:user', async (request) => {
  await request.session.regenerate()
  request.session.user = String(request.params['user'])
  return { user: request.session.user }
})
app.get('/me', async ({ session }) => ({
  ...describeSession(session as unknown as Record<string, unknown>),
  maxAge: session.cookie.maxAge,
}))
app.post<{ Querystring: { wait?: string } }>('/view', async ({ session, query }) => {
  await waitIfAsked(query.wait)
  session.views = (session.views ?? 0) + 1
  return { views: session.views }
})
app.post<Params>('/put/:key/:value', async ({ session, params }) => {
  session[String(params['key'])] = params['value']
  return {}
})
app.post<Params>('/fill/:bytes', async ({ session, params }) => {
  session['filling'] = 'x'.repeat(Number(params['bytes']))
  return {}
})
/** A request that loads its session anew while it waits. */
app.post('/reload', async (request) => {
  await waitIfAsked('')
  await request.session.reload()
  request.session.set('reloaded', true)
  return { user: request.session.user ?? null }
})
app.post('/regenerate-with-all', async (request) => {
  await request.session.regenerate(Object.keys(request.session))
  request.session.set('more', 1)
  return {}
})
app.post('/release', async () => {
  release()
  return {}
})
app.post('/logout', async ({ session }) => {
  await session.destroy()
  return {}
})
app.post('/logout-everywhere', async ({ session }) => ({
  ended: await store.sessions.revokeAll(String(session.user)),
}))

await app.listen({ port: 0, host: '127.0.0.1' })
started((app.server.address() as AddressInfo).port, async () => {
  await app.close()
  await store.close()
})
