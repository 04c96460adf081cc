import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import express from 'express'
import session, { type SessionData, type Store } from 'express-session'

declare module 'express-session' {
  interface SessionData {
    name: string
    items: string[]
  }
}

/** An application whose users log in, fill a cart and log out. */
export async function startApp(store: Store): Promise<{ url: string; close(): Promise<void> }> {
  const app = express()
  const cookie = { maxAge: 3_600_000 }
  app.use(session({ store, secret: 'test', resave: false, saveUninitialized: false, cookie }))
  app.post('/login/:name', (req, res, next) => {
    req.session.regenerate((error) => {
      if (error) return next(error)
      req.session.name = String(req.params.name)
      res.json({})
    })
  })
  app.post('/items/:item', (req, res) => {
    req.session.items = [...(req.session.items ?? []), String(req.params.item)]
    res.json({})
  })
  app.get('/me', (req, res) => {
    const { name = null, items = [], cookie } = req.session
    res.json({ name, items, left: cookie.maxAge })
  })
  app.post('/logout', (req, res, next) => {
    req.session.destroy((error) => (error ? next(error) : res.json({})))
  })
  app.use((error: unknown, _: express.Request, res: express.Response, _next: () => void) => {
    res.status(500).json({ code: (error as { code?: string }).code ?? String(error) })
  })
  const server = app.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    close: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

/** A browser of one user, who may use several servers of one application. */
export class Browser {
  /** Requests that named a session. */
  reads = 0
  #cookie: string | undefined

  async ask(url: string, method: 'GET' | 'POST', path: string) {
    const headers = this.#cookie === undefined ? {} : { cookie: this.#cookie }
    if (this.#cookie !== undefined) this.reads++
    const response = await fetch(`${url}${path}`, { method, headers })
    const [cookie] = response.headers.getSetCookie()
    if (cookie !== undefined) this.#cookie = cookie.split(';')[0]
    const body = (await response.json()) as {
      name: string | null
      items: string[]
      left: number
      code: string
    }
    return { status: response.status, ...body }
  }

  clone(): Browser {
    const other = new Browser()
    other.#cookie = this.#cookie
    return other
  }
}

/** A session as express-session hands it to a store. */
export function sessionOf(data: object, maxAge = 3_600_000): SessionData {
  const expires = new Date(Date.now() + maxAge)
  return {
    ...data,
    cookie: { path: '/', httpOnly: true, originalMaxAge: maxAge, expires },
  } as never
}

/** Loads a session as a request does, so that its store knows it again. */
export function load(store: Store, sid: string): Promise<(SessionData & object) | undefined> {
  return new Promise((resolve, reject) => {
    store.load(sid, (error, found) => (error ? reject(error) : resolve(found)))
  })
}

/** Calls a store of any make. */
export function ask<T = unknown>(
  start: (done: (error?: unknown, value?: T | null) => void) => unknown,
): Promise<T | null | undefined> {
  return new Promise((resolve, reject) => {
    start((error, value) => (error ? reject(error) : resolve(value)))
  })
}
