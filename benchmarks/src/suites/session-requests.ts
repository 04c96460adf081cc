import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import express from 'express'
import session, { MemoryStore, type SessionData } from 'express-session'
import type { Contender, Context, Scenario } from '../suite.js'
import { idOf, SESSIONS, sessionOf } from './session-data.js'
import type { LoadOrder, LoadResult } from './session-requests-load.js'
import { called, type NamedStore, type Stores } from './session-stores.js'

export const SECRET = 'session-benchmark'
/** Connections of browsers, each with one request under way. */
const CONNECTIONS = 64

/** Whole requests of an Express application in this process; what asks them is in a process of its own. */
export async function requestScenario(
  context: Context,
  { ours, redis, pgSimple }: Stores & { readonly redis: NamedStore },
): Promise<Scenario> {
  const load = startLoad(context)
  const contender = (named: NamedStore) => requests(context, load, named)
  return {
    figure: 'request_vs_connect_redis',
    figures: { request_vs_connect_pg_simple: pgSimple.name },
    title:
      'An Express 5 request that reads its session, and is answered once the store has touched it',
    callers: CONNECTIONS,
    ours: await contender(ours),
    peers: [
      await contender(redis),
      await contender(pgSimple),
      await contender({ name: 'the store in memory of express-session', store: await memory() }),
    ],
  }
}

async function memory(): Promise<MemoryStore> {
  const store = new MemoryStore()
  for (let n = 0; n < SESSIONS; n++) await called((done) => store.set(idOf(n), sessionOf(n), done))
  return store
}

async function requests(
  { quick, onEnd }: Context,
  load: ChildProcess,
  { name, store }: NamedStore,
): Promise<Contender> {
  const app = express()
  app.use(session({ store, secret: SECRET, resave: false, saveUninitialized: false }))
  app.get('/', (req, res) => {
    res.json({ user: (req.session as SessionData & { userId?: string }).userId })
  })
  const server = createServer(app).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onEnd(async () => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  return {
    name,
    run: () => ask(load, { port, connections: CONNECTIONS, ms: quick ? 700 : 2000 }),
  }
}

function startLoad({ onEnd }: Context): ChildProcess {
  const extension = import.meta.url.split('.').at(-1)
  const load = fork(
    fileURLToPath(new URL(`./session-requests-load.${extension}`, import.meta.url)),
    [SECRET],
  )
  onEnd(async () => load.kill())
  return load
}

async function ask(load: ChildProcess, order: LoadOrder): Promise<LoadResult> {
  load.send(order)
  const [result] = (await once(load, 'message')) as [LoadResult & { readonly error?: string }]
  if (result.error !== undefined) throw new Error(result.error)
  return result
}
