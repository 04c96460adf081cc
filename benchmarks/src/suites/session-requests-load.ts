// What asks requests of an application, in a process of its own: started by session-requests.ts with the secret that cookies are signed with. It writes
// requests that were made before and looks for little in the answers, to leave the processors to what is measured.
import { createHmac } from 'node:crypto'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { idOf, numberAt, SESSIONS, userOf } from './session-data.js'

/** What to do: so many connections, for so long. */
export interface LoadOrder {
  readonly port: number
  readonly connections: number
  readonly ms: number
}

/** What was done. */
export interface LoadResult {
  readonly count: number
  readonly latencies: readonly number[]
}

const [secret = ''] = process.argv.slice(2)
const texts = Array.from({ length: SESSIONS }, (_, n) => {
  const signature = createHmac('sha256', secret).update(idOf(n)).digest('base64')
  const signed = encodeURIComponent(`s:${idOf(n)}.${signature.replace(/=+$/, '')}`)
  return `GET / HTTP/1.1\r\nHost: localhost\r\nCookie: connect.sid=${signed}\r\n\r\n`
})

/** Asks one request after another on one connection until it is late enough. */
async function askUntil(end: number, port: number, next: () => number, latencies: number[]) {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  await once(socket, 'connect')
  for (let before = performance.now(); before < end; ) {
    const n = numberAt(next())
    await answered(socket, texts[n] as string, `{"user":"${userOf(n)}"}`)
    const after = performance.now()
    latencies.push(after - before)
    before = after
  }
  socket.destroy()
}

/** The last byte of an answer comes when the session was touched. */
function answered(socket: Socket, request: string, body: string): Promise<void> {
  return new Promise((resolve, reject) => {
    let text = ''
    const settle = (error?: Error) => {
      socket.removeAllListeners()
      if (error === undefined) resolve()
      else reject(error)
    }
    socket.on('error', settle)
    socket.on('close', () => settle(new Error('The application closed a connection.')))
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1')
      const head = text.indexOf('\r\n\r\n')
      if (head === -1 || text.length < head + 4 + body.length) return
      settle(
        text.endsWith(body) ? undefined : new Error(`The application answered wrongly: ${text}`),
      )
    })
    socket.write(request)
  })
}

process.on('message', async ({ port, connections, ms }: LoadOrder) => {
  const latencies: number[] = []
  const end = performance.now() + ms
  let at = 0
  const callers = Array.from({ length: connections }, () =>
    askUntil(end, port, () => at++, latencies),
  )
  try {
    await Promise.all(callers)
    process.send?.({ count: latencies.length, latencies } satisfies LoadResult)
  } catch (error) {
    process.send?.({ error: String(error) })
  }
})
process.on('disconnect', () => process.exit())
