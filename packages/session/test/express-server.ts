/** An application with express-session, run as a process of its own: prints its port, and ends when its input does. */
import type { AddressInfo } from 'node:net'
import { PgSessionStore } from '@howdah/session/express'
import express, { type ErrorRequestHandler } from 'express'
import session from 'express-session'
import { describeSession, pool, release, started, waitIfAsked } from './server-main.js'

declare module 'express-session' {
  interface SessionData {
    user: string
    views: number
    [key: string]: unknown
  }
}

const store = new PgSessionStore({ pool, userId: ({ user }) => user })
const app = express()
app.use(
  session({
    store,
    secret: 'test',
    resave: false,
    saveUninitialized: false,
    cookie: { maxAge: 3_600_000 },
  }),
)
app.post('/login/:user', (req, res, next) => {
  req.session.regenerate((error) => {
    if (error) return next(error)
    req.session.user = String(req.params.user)
    res.json({ user: req.session.user })
  })
})
app.get('/me', (req, res) => {
  res.json({ ...describeSession({ ...req.session }), maxAge: req.session.cookie.maxAge })
})
app.post('/view', async (req, res) => {
  await waitIfAsked(req.query['wait'])
  req.session.views = (req.session.views ?? 0) + 1
  res.json({ views: req.session.views })
})
app.post('/put/:key/:value', (req, res) => {
  req.session[req.params.key] = req.params.value
  res.json({})
})
app.post('/fill/:bytes', (req, res, next) => {
  req.session['filling'] = 'x'.repeat(Number(req.params.bytes))
  // Left to itself express-session saves after the head of the response is out, and can say nothing of an error.
  req.session.save((error) => (error ? next(error) : res.json({})))
})
app.post('/remember/:ms', (req, res) => {
  req.session.cookie.maxAge = Number(req.params.ms)
  res.json({})
})
app.post('/release', (_req, res) => {
  release()
  res.json({})
})
app.post('/logout', (req, res, next) => {
  req.session.destroy((error) => (error ? next(error) : res.json({})))
})
app.post('/logout-everywhere', async (req, res) => {
  res.json({ ended: await store.sessions.revokeAll(String(req.session.user)) })
})
const onError: ErrorRequestHandler = (error, _req, res, _next) => {
  if (res.headersSent) return res.destroy()
  res.status(500).json({ code: error.code })
}
app.use(onError)

const server = app.listen(0, '127.0.0.1', () => {
  started((server.address() as AddressInfo).port, async () => {
    server.close()
    server.closeAllConnections()
    await store.close()
  })
})
