/** An application with Hono, run as a process of its own: prints its port, and ends when its input does. */
import type { AddressInfo } from 'node:net'
import { type ServerType, serve } from '@hono/node-server'
import { Sessions } from '@howdah/session'
import { type SessionEnv, session } from '@howdah/session/hono'
import { Hono } from 'hono'
import { describeSession, pool, release, started, waitIfAsked } from './server-main.js'

interface Data {
  user?: string
  views?: number
  [key: string]: unknown
}

const sessions = new Sessions<Data>({ pool, ttl: '1h', userId: ({ user }) => user })
const app = new Hono<SessionEnv<Data>>()
app.use(session(sessions, { cookie: { secure: false } }))
app.post('/login/:user', async (c) => {
  await c.var.session.regenerate()
  c.var.session.set('user', c.req.param('user'))
  return c.json({ user: c.var.session.get('user') })
})
app.get('/me', (c) => c.json(describeSession(c.var.session.data)))
app.post('/view', async (c) => {
  await waitIfAsked(c.req.query('wait'))
  const views = (c.var.session.get('views') ?? 0) + 1
  c.var.session.set('views', views)
  return c.json({ views })
})
app.post('/put/:key/:value', (c) => {
  c.var.session.set(c.req.param('key'), c.req.param('value'))
  return c.json({})
})
app.post('/fill/:bytes', (c) => {
  c.var.session.set('filling', 'x'.repeat(Number(c.req.param('bytes'))))
  return c.json({})
})
app.post('/release', (c) => {
  release()
  return c.json({})
})
app.post('/logout', async (c) => {
  await c.var.session.destroy()
  return c.json({})
})
app.post('/logout-everywhere', async (c) =>
  c.json({ ended: await sessions.revokeAll(String(c.var.session.get('user'))) }),
)
app.onError((error, c) => c.json({ code: (error as { code?: string }).code }, 500))

const server: ServerType = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' }, (info) => {
  started((info as AddressInfo).port, async () => {
    server.close()
    if ('closeAllConnections' in server) server.closeAllConnections()
    await sessions.close()
  })
})
