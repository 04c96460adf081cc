import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import pg from 'pg'
import { createApp } from './app.js'
import { openBoard } from './board.js'
import { LiveFeed } from './http/live-feed.js'
import type { DemoMember } from './seed/demo-members.js'

/** The running application. */
export interface RunningServer {
  readonly url: string
  readonly demoMembers: readonly DemoMember[]
  close(): Promise<void>
}

/** Starts the application on a database. Port 0 takes a free one. */
export async function startServer(databaseUrl: string, port: number): Promise<RunningServer> {
  const started: (() => Promise<void>)[] = []
  const close = async () => {
    for (const stop of started.splice(0).reverse()) await stop()
  }
  try {
    const pool = new pg.Pool({ connectionString: databaseUrl, max: 10 })
    started.push(() => pool.end())
    // An idle connection that breaks is replaced by the pool; without a listener it would end the process.
    pool.on('error', () => {})

    const board = await openBoard(pool)
    started.push(() => board.close())

    const feed = new LiveFeed()
    const secret = process.env['SESSION_SECRET'] ?? randomBytes(32).toString('base64url')
    const server = createServer(createApp(board, feed, secret))
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
    started.push(() => closeServer(server))

    started.push(() => feed.close())
    await feed.start(board.events)
    const { port: taken } = server.address() as AddressInfo
    return { url: `http://127.0.0.1:${taken}`, demoMembers: board.demoMembers, close }
  } catch (error) {
    await close()
    throw error
  }
}

/** How long requests under way may take to finish. */
const CLOSE_WITHIN_MS = 5000

/** Takes no more requests and lets those under way finish. */
async function closeServer(server: Server): Promise<void> {
  const closed = once(server, 'close')
  server.close()
  // Connections that browsers keep for later requests become idle one by one.
  const sweep = setInterval(() => server.closeIdleConnections(), 50)
  const deadline = setTimeout(() => server.closeAllConnections(), CLOSE_WITHIN_MS)
  await closed
  clearInterval(sweep)
  clearTimeout(deadline)
}
