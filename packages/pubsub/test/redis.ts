import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { setTimeout as later } from 'node:timers/promises'

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}

/** Tells for each pattern and name whether Redis hands a message of that name to who subscribes to that pattern. */
export async function askRedis(
  port: number,
  cases: readonly (readonly [pattern: string, name: string])[],
): Promise<boolean[]> {
  const subscriber = await dial(port)
  const publisher = await dial(port)
  const answers: boolean[] = []
  for (const [pattern, name] of cases) {
    await ask(subscriber, 'psubscribe', pattern)
    // The answer is how many received it.
    answers.push((await ask(publisher, 'publish', name, 'x')).startsWith(':1'))
    await ask(subscriber, 'punsubscribe', pattern, 'none')
  }
  subscriber.destroy()
  publisher.destroy()
  return answers
}

async function dial(port: number): Promise<Socket> {
  for (let tries = 0; ; tries++) {
    const socket = connect(port, '127.0.0.1')
    try {
      await once(socket, 'connect')
      return socket
    } catch (error) {
      if (tries === 500) throw error
      await later(20)
    }
  }
}

/** Sends a command and reads until its answer's last word, or its line. */
async function ask(socket: Socket, ...words: string[]): Promise<string> {
  const bulk = words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`)
  socket.write(`*${words.length}\r\n${bulk.join('')}`)
  const end = { psubscribe: /:1\r\n$/, publish: /^:\d+\r\n$/, punsubscribe: /none\r\n:0\r\n$/ }
  const until = end[words[0] as keyof typeof end]
  let answer = ''
  while (!until.test(answer)) answer += String((await once(socket, 'data'))[0])
  return answer
}
