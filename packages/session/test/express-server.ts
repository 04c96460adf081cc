/** An application with express-session, run as a process of its own: prints its port, and ends when its input does. */
import type { AddressInfo } from 'node:net'
import { PgSessionStore } from '@howdah/session/express'
import express from 'express'
import session from 'express-session'
import { Pool } from 'pg'

declare module 'express-session' {
  interface SessionData {
    user: string
    views: number
  }
}

const pool = new Pool({ connectionString: process.env['TEST_DATABASE_URL'], max: 4 })
const store = new PgSessionStore({ pool })
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
  res.json({ user: req.session.user ?? null, maxAge: req.session.cookie.maxAge })
})
/** Requests to /view that wait, having loaded their session, until /release is asked for. */
let waiting: (() => void)[] = []
app.post('/view', async (req, res) => {
  if (req.query['wait'] !== undefined) {
    await new Promise<void>((resolve) => {
      waiting.push(resolve)
      process.stdout.write('waiting\n')
    })
  }
  req.session.views = (req.session.views ?? 0) + 1
  res.json({ views: req.session.views })
})
app.post('/release', (_req, res) => {
  for (const release of waiting) release()
  waiting = []
  res.json({})
})
app.post('/logout', (req, res, next) => {
  req.session.destroy((error) => (error ? next(error) : res.json({})))
})

const server = app.listen(0, '127.0.0.1', () => {
  process.stdout.write(`port ${(server.address() as AddressInfo).port}\n`)
})
process.stdin.resume()
process.stdin.on('end', () => {
  server.close()
  server.closeAllConnections()
  void store.close().then(() => pool.end())
})
