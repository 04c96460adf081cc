/** An application without a framework, run as a process of its own: prints its port, and ends when its input does. */
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Session, Sessions } from '@howdah/session'
import { describeSession, pool, release, started, waitIfAsked } from './server-main.js'

interface Data {
  user?: string
  views?: number
  [key: string]: unknown
}

const sessions = new Sessions<Data>({ pool, ttl: '1h', userId: ({ user }) => user })

/** A request with its session; there is none before something is stored. */
interface Visit {
  readonly path: readonly string[]
  readonly wait: string | undefined
  session: Session<Data> | undefined
}

async function put(visit: Visit, changes: Data): Promise<void> {
  if (visit.session === undefined) {
    visit.session = await sessions.create(changes)
  } else {
    Object.assign(visit.session.data, changes)
    await sessions.save(visit.session)
  }
}

const routes: Record<string, (visit: Visit) => Promise<object>> = {
  async login(visit) {
    const [, user = ''] = visit.path
    if (visit.session !== undefined) visit.session = await sessions.regenerate(visit.session)
    await put(visit, { user })
    return { user }
  },
  async me({ session }) {
    return describeSession(session?.data ?? {})
  },
  async view(visit) {
    await waitIfAsked(visit.wait)
    const views = (visit.session?.data.views ?? 0) + 1
    await put(visit, { views })
    return { views }
  },
  async put(visit) {
    const [, key = '', value] = visit.path
    await put(visit, Object.fromEntries([[key, value]]))
    return {}
  },
  async fill(visit) {
    await put(visit, { filling: 'x'.repeat(Number(visit.path[1])) })
    return {}
  },
  async release() {
    release()
    return {}
  },
  async logout(visit) {
    if (visit.session !== undefined) await sessions.destroy(visit.session)
    visit.session = undefined
    return {}
  },
  async 'logout-everywhere'({ session }) {
    return { ended: await sessions.revokeAll(session?.data.user ?? 'nobody') }
  },
}

function idOf({ headers }: IncomingMessage): string | undefined {
  return /(?:^|; *)session=([\w-]{43})(?:;|$)/.exec(headers.cookie ?? '')?.[1]
}

const server = createServer(async (req, res) => {
  try {
    const { pathname, searchParams } = new URL(req.url ?? '/', 'http://localhost')
    const path = pathname.slice(1).split('/')
    const id = idOf(req)
    const session = id === undefined ? undefined : await sessions.load(id)
    const visit: Visit = { path, session, wait: searchParams.get('wait') ?? undefined }
    const answer = await routes[String(path[0])]?.(visit)
    if (visit.session !== undefined && visit.session.id !== id) {
      res.setHeader('Set-Cookie', `session=${visit.session.id}; Path=/; HttpOnly; SameSite=Lax`)
    }
    res.end(JSON.stringify(answer))
  } catch (error) {
    res.statusCode = 500
    res.end(JSON.stringify({ code: (error as { code?: string }).code }))
  }
})
server.listen(0, '127.0.0.1', () => {
  started((server.address() as AddressInfo).port, async () => {
    server.close()
    server.closeAllConnections()
    await sessions.close()
  })
})
