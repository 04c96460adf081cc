// Clients of a gateway in a process of their own: started by pubsub-ws.ts with the port, how many, and what they listen to. They count frames and
// read nothing else, to leave the processor to the gateway.
import { randomBytes } from 'node:crypto'
import { connect, type Socket } from 'node:net'

const [port, clients, channel, silent] = process.argv.slice(2)
let frames = 0
let subscribed = 0

/** Counts whole frames of a server, which are not masked. */
function counter(): (chunk: Buffer) => number {
  let rest = Buffer.alloc(0)
  return (chunk) => {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    let at = 0
    let whole = 0
    while (at + 2 <= bytes.length) {
      const short = (bytes[at + 1] as number) & 0x7f
      const header = short < 126 ? 2 : short === 126 ? 4 : 10
      if (at + header > bytes.length) break
      const length =
        short < 126
          ? short
          : short === 126
            ? bytes.readUInt16BE(at + 2)
            : Number(bytes.readBigUInt64BE(at + 2))
      if (at + header + length > bytes.length) break
      at += header + length
      whole++
    }
    rest = Buffer.from(bytes.subarray(at))
    return whole
  }
}

/** A text frame of a client; a mask of zeros changes nothing. */
function clientFrame(text: string): Buffer {
  const payload = Buffer.from(text)
  return Buffer.concat([Buffer.from([0x81, 0x80 | payload.length, 0, 0, 0, 0]), payload])
}

function open(): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), '127.0.0.1')
    socket.on('error', reject)
    socket.write(
      `GET /realtime HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
        `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\n\r\n`,
    )
    const count = counter()
    let answered = false
    socket.on('data', (chunk) => {
      let bytes = chunk
      if (!answered) {
        answered = true
        bytes = chunk.subarray(chunk.indexOf('\r\n\r\n') + 4)
        socket.write(clientFrame(JSON.stringify({ t: 'sub', id: 1, ch: channel })))
      }
      const whole = count(bytes)
      // The first frame of each says that it is subscribed.
      if (whole > 0 && !subscribers.has(socket)) {
        subscribers.add(socket)
        subscribed++
        frames--
        resolve(socket)
      }
      frames += whole
    })
  })
}

const subscribers = new Set<Socket>()
for (let n = 0; n < Number(clients); n += 50) {
  const some = Math.min(50, Number(clients) - n)
  const sockets = await Promise.all(Array.from({ length: some }, open))
  for (const [m, socket] of sockets.entries()) if (n + m < Number(silent ?? 0)) socket.pause()
}
process.send?.({ subscribed })
process.on('message', () => process.send?.({ frames }))
process.on('disconnect', () => process.exit())
