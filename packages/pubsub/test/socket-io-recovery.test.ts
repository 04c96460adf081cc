import { createEmitter } from '@howdah/pubsub/socket.io'
import type { Socket as ServerSocket } from 'socket.io'
import type { Socket } from 'socket.io-client'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { Bench, hear, type Node } from './socket-io-support.js'

let bench: Bench
const connectionStateRecovery = { maxDisconnectionDuration: 60_000 }

beforeAll(async () => {
  bench = await Bench.start()
})
afterEach(() => bench.afterEach())
afterAll(() => bench.close())

function cluster(count: number): Promise<Node[]> {
  return bench.cluster(count, { server: { connectionStateRecovery } })
}

/** Ends a client's connection as a network does, and waits until the server has noticed. */
async function cut(client: Socket, node: Node): Promise<void> {
  const gone = new Promise((resolve) =>
    node.io.sockets.sockets.get(client.id ?? '')?.on('disconnect', resolve),
  )
  client.io.engine.close()
  await gone
}

/** Lets a client go on at another server. */
async function goOn(client: Socket, node: Node): Promise<void> {
  Object.assign(client.io, { uri: node.url })
  const connected = new Promise<void>((resolve) => client.once('connect', resolve))
  client.io.connect(() => {})
  if (!client.active) client.connect()
  await connected
}

/** A client with an offset: it has heard something. */
async function settled(node: Node): Promise<Socket> {
  const client = await bench.client(node, '/', { reconnection: false })
  const heard = hear(client, 'init')
  node.io.to(client.id ?? '').emit('init')
  await expect.poll(() => heard.length).toBe(1)
  return client
}

function served(client: Socket, node: Node): ServerSocket {
  const socket = node.io.sockets.sockets.get(client.id ?? '')
  if (socket === undefined) throw new Error('The client is not connected.')
  return socket
}

const values = (heard: unknown[][]): unknown[] => heard.map(([value]) => value)

describe('connection state recovery', () => {
  test('brings rooms, data and what was missed to another server, and nothing else', async () => {
    const [one, two] = (await cluster(2)) as [Node, Node]
    const client = await settled(one)
    const { id } = client
    const heard = hear(client, 'test')
    served(client, one).data = { name: 'Ada', bytes: Buffer.from([7]) }
    await served(client, one).join('a')
    await cut(client, one)
    two.io.emit('test', 1)
    two.io.to('a').emit('test', 2)
    two.io.to('b').emit('test', 'other room')
    two.io.except('a').emit('test', 'excluded')
    two.io.of('/other').emit('test', 'other namespace')
    two.io.volatile.emit('test', 'volatile')
    two.io.to(id as string).emit('test', Buffer.from([3]))
    // Order is that of the commits: other senders follow once this is there.
    await expect.poll(async () => (await tables()).rows[0].log).toBeGreaterThanOrEqual(7)
    await createEmitter({ pool: one.pool, connectionStateRecovery: true }).emit('test', 4)
    await goOn(client, two)
    expect(client).toMatchObject({ recovered: true, id })
    await expect.poll(() => values(heard)).toEqual([1, 2, Buffer.from([3]), 4])
    const socket = served(client, two)
    expect(socket.recovered).toBe(true)
    expect(socket.data).toEqual({ name: 'Ada', bytes: Buffer.from([7]) })
    expect([...socket.rooms].sort()).toEqual([id, 'a'].sort())
    one.io.to('a').emit('test', 5)
    await expect.poll(() => values(heard).at(-1)).toBe(5)
  })

  test('serves a client at the server it was on, again and again', async () => {
    const [one] = (await cluster(1)) as [Node]
    const client = await settled(one)
    const heard = hear(client, 'test')
    for (let round = 1; round <= 3; round++) {
      await cut(client, one)
      one.io.emit('test', round)
      await goOn(client, one)
      expect(client.recovered).toBe(true)
      await expect.poll(() => values(heard).at(-1)).toBe(round)
    }
    expect(values(heard)).toEqual([1, 2, 3])
  })

  test('outlives a restart of the only server', async () => {
    const [one] = (await cluster(1)) as [Node]
    const client = await settled(one)
    const heard = hear(client, 'test')
    served(client, one).data = { set: 'late' }
    one.io.emit('test', 1)
    await one.close()
    const [two] = (await cluster(1)) as [Node]
    two.io.emit('test', 2)
    await goOn(client, two)
    expect(client.recovered).toBe(true)
    await expect.poll(() => values(heard)).toEqual([1, 2])
    expect(served(client, two).data).toEqual({ set: 'late' })
  })

  test('gives everything once and in order while all servers broadcast and clients move', async () => {
    const server = {
      connectionStateRecovery: { ...connectionStateRecovery, skipMiddlewares: false },
    }
    const nodes = (await bench.cluster(3, { server })) as [Node, Node, Node]
    // A client that comes back waits here between being restored and being connected.
    for (const { io } of nodes) io.use((_, next) => setTimeout(next, 15))
    const clients = await Promise.all([0, 1, 2, 0].map((n) => settled(nodes[n] as Node)))
    const heard = clients.map((client) => hear(client, 'test'))
    let sent = 0
    let moving = true
    const sending = (async () => {
      while (moving) {
        nodes[sent % 3]?.io.emit('test', sent++)
        await new Promise((resolve) => setTimeout(resolve, 2))
      }
    })()
    const moves = clients.map(async (client, n) => {
      for (let round = 0; round < 5; round++) {
        await cut(client, nodes[(n + round) % 3] as Node)
        await goOn(client, nodes[(n + round + 1) % 3] as Node)
        expect(client.recovered).toBe(true)
      }
    })
    await Promise.all(moves)
    moving = false
    await sending
    await expect.poll(() => heard.map((each) => each.length)).toEqual(clients.map(() => sent))
    const first = values(heard[0] ?? [])
    expect([...first].sort((a, b) => Number(a) - Number(b))).toEqual(
      Array.from({ length: sent }, (_, n) => n),
    )
    for (const each of heard) expect(values(each)).toEqual(first)
  })

  test('keeps the order of emits to one socket, with and without acknowledgement', async () => {
    const [one] = (await cluster(1)) as [Node]
    const client = await settled(one)
    const heard: unknown[] = []
    client.on('test', (n, answer) => {
      heard.push(n)
      if (typeof answer === 'function') answer(n)
    })
    const socket = served(client, one)
    socket.emit('test', 1)
    const answer = socket.emitWithAck('test', 2)
    socket.emit('test', 3)
    expect(await answer).toBe(2)
    await expect.poll(() => heard).toEqual([1, 2, 3])
  })

  test('refuses what is unknown, made up, or another’s time', async () => {
    const [one, two] = (await cluster(2)) as [Node, Node]
    const cases: Record<string, unknown>[] = [
      { _pid: 'abc' },
      { _pid: '\0' },
      { _pid: "'; drop table x --" },
      { _lastOffset: 'abc' },
      { _lastOffset: '1:99999999999' },
      { _lastOffset: '9:1' },
      { _lastOffset: '1:-1' },
    ]
    for (const forged of cases) {
      const client = await settled(one)
      await cut(client, one)
      Object.assign(client, forged)
      await goOn(client, two)
      expect(client.recovered, JSON.stringify(forged)).toBe(false)
      client.disconnect()
    }
    const client = await settled(one)
    await cut(client, one)
    const { _pid: pid } = client as unknown as { readonly _pid: string }
    const age = `update howdah.socket_io_session set closed_at = closed_at - interval '61 s' where pid = $1 and closed_at is not null`
    await expect.poll(async () => (await one.pool.query(age, [pid])).rowCount).toBe(1)
    await goOn(client, two)
    expect(client.recovered).toBe(false)
  })

  test('ends with a client that leaves for good', async () => {
    const [one] = (await cluster(1)) as [Node]
    const count = async () => {
      const { rows } = await one.pool.query(
        'select count(*)::int as n from howdah.socket_io_session',
      )
      return rows[0].n
    }
    const before = await count()
    const client = await settled(one)
    await expect.poll(count).toBe(before + 1)
    client.disconnect()
    await expect.poll(count).toBe(before)
  })

  test('writes nothing where it is off', async () => {
    const { rows: before } = await tables()
    const nodes = await bench.cluster(2)
    const client = await bench.client(nodes[0] as Node)
    const heard = hear(client, 'test')
    nodes[1]?.io.emit('test', 1)
    await expect.poll(() => values(heard)).toEqual([1])
    expect((await tables()).rows).toEqual(before)
  })
})

async function tables() {
  const pool = bench.database.pool()
  try {
    return await pool.query(
      `select (select count(*)::int from howdah.stream_log) as log, (select count(*) from howdah.socket_io_server) as servers,
         (select count(*) from howdah.socket_io_session) as sessions`,
    )
  } finally {
    await pool.end()
  }
}
