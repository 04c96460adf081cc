import { execFile } from 'node:child_process'
import { createServer } from 'node:http'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { Database } from '@howdah/core'
import { createAdapter, createEmitter } from '@howdah/pubsub/socket.io'
import fc from 'fast-check'
import { Server } from 'socket.io'
import type { Socket } from 'socket.io-client'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { PubSub } from '../src/index.js'
import { Bench, counts, hear, type Node } from './socket-io-support.js'

let bench: Bench
let nodes: [Node, Node, Node]
let clients: [Socket, Socket, Socket]

beforeAll(async () => {
  bench = await Bench.start()
})
beforeEach(async () => {
  nodes = (await bench.cluster(3)) as [Node, Node, Node]
  clients = (await Promise.all(nodes.map((node) => bench.client(node)))) as [Socket, Socket, Socket]
})
afterEach(() => bench.afterEach())
afterAll(() => bench.close())

/** The server's side of a client. */
function served(index: 0 | 1 | 2) {
  const socket = nodes[index].io.sockets.sockets.get(clients[index].id as string)
  if (socket === undefined) throw new Error('The client is not connected.')
  return socket
}

/** Emits something to all and waits until all have heard it, so that what was sent before has arrived too. */
async function settle(from: 0 | 1 | 2 = 0): Promise<void> {
  const heard = clients.map((client) => hear(client, 'settle'))
  nodes[from].io.emit('settle')
  await expect.poll(() => heard.map((each) => each.length)).toEqual([1, 1, 1])
  for (const client of clients) client.off('settle')
}

/** What JSON makes of a value, but for its bytes. */
function asJson(value: unknown): unknown {
  if (Buffer.isBuffer(value)) return value
  if (Array.isArray(value)) return value.map(asJson)
  if (typeof value !== 'object' || value === null) return Object.is(value, -0) ? 0 : value
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, asJson(each)]))
}

describe('broadcasts', () => {
  test('reach the clients of all servers, binary parts as they were', async () => {
    const heard = clients.map((client) => hear(client, 'test'))
    nodes[0].io.emit('test', 1, '2', Buffer.from([3, 4]), { deep: [new Uint8Array([5]).buffer] })
    const expected = [[1, '2', Buffer.from([3, 4]), { deep: [Buffer.from([5])] }]]
    await expect.poll(() => heard).toEqual([expected, expected, expected])
  })

  test('keep the order of one server, small and large, text and binary', async () => {
    const heard = clients.map((client) => hear(client, 'test'))
    const sizes = [1, 7_999, 8_000, 8_001, 1_048_576, 2, 3_000_000, 524_288, 10]
    for (const [n, size] of sizes.entries()) {
      nodes[1].io.emit('test', n, n % 2 === 0 ? 'é'.repeat(size / 2) : Buffer.alloc(size, n))
    }
    await expect.poll(() => heard.map((each) => each.length)).toEqual([9, 9, 9])
    for (const each of heard) {
      expect(each.map(([n]) => n)).toEqual(sizes.map((_, n) => n))
      expect(each[6]).toEqual([6, 'é'.repeat(1_500_000)])
      expect(Buffer.alloc(524_288, 7).equals(each[7]?.[1] as Buffer)).toBe(true)
    }
  })

  test('reach rooms, each socket once, and leave rooms out', async () => {
    const heard = clients.map((client) => hear(client, 'test'))
    served(0).join(['a', 'b'])
    served(1).join('a')
    nodes[2].io.to('a').to('b').emit('test', 'a or b')
    nodes[2].io.except('a').emit('test', 'not a')
    nodes[2].io.to('a').except('b').emit('test', 'a without b')
    served(0).broadcast.emit('test', 'all but me')
    served(0).to('a').emit('test', 'a but me')
    await settle()
    await settle(2)
    expect(heard.map((each) => each.flat().sort())).toEqual([
      ['a or b'],
      ['a or b', 'a without b', 'all but me', 'a but me'].sort(),
      ['all but me', 'not a'],
    ])
  })

  test('stay local with the local flag, and arrive with volatile and compress', async () => {
    const heard = clients.map((client) => hear(client, 'test'))
    nodes[0].io.local.emit('test', 'local')
    nodes[0].io.compress(false).emit('test', 'plain')
    await settle()
    expect(heard.map((each) => each.flat())).toEqual([['local', 'plain'], ['plain'], ['plain']])
    // A client that is not ready to be written to misses it.
    await expect
      .poll(() => {
        nodes[0].io.volatile.emit('test', 'volatile')
        return heard.map((each) => each.flat().at(-1))
      })
      .toEqual(['volatile', 'volatile', 'volatile'])
  })

  test('keep to hostile room and event names', async () => {
    const heard = hear(clients[1], '__proto__')
    const rooms = ['__proto__', 'constructor', "'; notify x --", '\0', '\ud800', 'x'.repeat(50_000)]
    await served(1).join(rooms)
    for (const room of rooms) nodes[0].io.to(room).emit('__proto__', room.length)
    await settle()
    expect(heard.flat()).toEqual(rooms.map((room) => room.length))
  })
})

describe('acknowledgements of broadcasts', () => {
  test('come from the clients of all servers', async () => {
    for (const [n, client] of clients.entries()) {
      client.on('test', (cb) => cb(Buffer.from([n])))
    }
    const answers: Buffer[] = await nodes[0].io.timeout(5000).emitWithAck('test')
    expect(answers.map(([n]) => n).sort()).toEqual([0, 1, 2])
  })

  test('are none where there is no client', async () => {
    expect(await nodes[0].io.to('nowhere').timeout(5000).emitWithAck('test')).toEqual([])
  })

  test('time out with those there are', async () => {
    clients[0].on('test', (cb) => cb(1))
    clients[1].on('test', (cb) => cb(2))
    const failure = nodes[0].io.timeout(700).emitWithAck('test')
    await expect(failure).rejects.toMatchObject({ responses: expect.arrayContaining([1, 2]) })
  })

  test('come from one remote socket', async () => {
    clients[1].on('test', (cb) => cb('mine'))
    const [remote] = await nodes[0].io.in(served(1).id).fetchSockets()
    expect(await remote?.timeout(5000).emitWithAck('test')).toBe('mine')
  })
})

describe('sockets of other servers', () => {
  test('join and leave rooms', async () => {
    nodes[0].io.socketsJoin('all')
    nodes[0].io.in(served(1).id).socketsJoin('one')
    await expect.poll(() => served(2).rooms.has('all')).toBe(true)
    await settle()
    expect([0, 1, 2].map((n) => [...served(n as 0).rooms].slice(1))).toEqual([
      ['all'],
      ['all', 'one'],
      ['all'],
    ])
    nodes[2].io.in('one').socketsLeave('all')
    await settle(2)
    expect([0, 1, 2].map((n) => [...served(n as 0).rooms].slice(1))).toEqual([
      ['all'],
      ['one'],
      ['all'],
    ])
  })

  test('are fetched with their data, rooms and handshake', async () => {
    served(1).data = { name: 'Ada', bytes: Buffer.from([1]) }
    const sockets = await nodes[0].io.fetchSockets()
    expect(sockets.map(({ id }) => id).sort()).toEqual(clients.map(({ id }) => id).sort())
    const [remote] = await nodes[0].io.in(served(1).id).fetchSockets()
    expect(remote?.data).toEqual({ name: 'Ada', bytes: Buffer.from([1]) })
    expect(remote?.handshake).toEqual(served(1).handshake)
    expect([...(remote?.rooms ?? [])]).toEqual([served(1).id])
    expect(await nodes[0].io.local.fetchSockets()).toHaveLength(1)
  })

  test('are disconnected, after what was sent before', async () => {
    const said = clients.map((client) => hear(client, 'bye'))
    const reasons: string[] = []
    for (const client of clients) client.on('disconnect', (reason) => reasons.push(reason))
    nodes[0].io.emit('bye')
    nodes[0].io.disconnectSockets()
    await expect.poll(() => reasons).toEqual(Array(3).fill('io server disconnect'))
    expect(said.map((each) => each.length)).toEqual([1, 1, 1])
  })
})

describe('serverSideEmit()', () => {
  test('reaches the other servers', async () => {
    const heard: unknown[] = []
    for (const [n, { io }] of nodes.entries()) {
      io.on('hello', (...args: unknown[]) => heard.push([n, ...args]))
    }
    nodes[0].io.serverSideEmit('hello', 'world', 1, Buffer.from([2]))
    await settle()
    expect(heard.sort()).toEqual([
      [1, 'world', 1, Buffer.from([2])],
      [2, 'world', 1, Buffer.from([2])],
    ])
  })

  test('carries anything JSON can say, with bytes anywhere in it', async () => {
    const heard: unknown[] = []
    nodes[1].io.on('hello', (value: unknown) => heard.push(value))
    const bytes = fc.uint8Array({ maxLength: 20 }).map((each) => Buffer.from(each))
    const hostile = ['\0', '\ud800', '__proto__', "';--", { _placeholder: true, num: 0 }]
    const value = fc.letrec((tie) => ({
      any: fc.oneof(
        { depthSize: 'small' },
        fc.jsonValue(),
        bytes,
        fc.constantFrom(...hostile),
        fc.array(tie('any')),
        fc.dictionary(fc.oneof(fc.string(), fc.constant('toJSON')), tie('any')),
      ),
    })).any
    await fc.assert(
      fc.asyncProperty(value, async (sent) => {
        heard.length = 0
        nodes[0].io.serverSideEmit('hello', sent)
        await expect.poll(() => heard.length, { interval: 2 }).toBe(1)
        expect(heard[0]).toEqual(asJson(sent))
      }),
      { numRuns: 100, endOnFailure: true },
    )
  })

  test('collects the answers of all, and fails with those there are', async () => {
    nodes[1].io.on('hello', (cb: (answer: unknown) => void) => cb(2))
    nodes[2].io.on('hello', (cb: (answer: unknown) => void) => cb(Buffer.from([3])))
    const answers: unknown[] = await nodes[0].io.serverSideEmitWithAck('hello')
    expect(answers).toHaveLength(2)
    expect(answers).toEqual(expect.arrayContaining([2, Buffer.from([3])]))
    nodes[2].io.removeAllListeners('hello')
    await expect(nodes[0].io.serverSideEmitWithAck('hello')).rejects.toMatchObject({
      message: expect.stringContaining('timeout'),
      responses: [2],
    })
  })

  test('ends with the answers there are when a server leaves', async () => {
    nodes[1].io.on('hello', (cb: (answer: unknown) => void) => cb(2))
    nodes[2].io.on('hello', () => void nodes[2].close())
    expect(await nodes[0].io.serverSideEmitWithAck('hello')).toEqual([2])
    await expect.poll(() => counts([nodes[0], nodes[1]])).toEqual([2, 2])
  })

  test('waits for the answers of servers that a new one has yet to meet', async () => {
    for (const { io } of nodes) io.on('hello', (cb: (answer: unknown) => void) => cb('here'))
    const late = await bench.node()
    expect(await late.io.serverSideEmitWithAck('hello')).toEqual(['here', 'here', 'here'])
  })

  test('tells of a listener that throws', async () => {
    nodes[1].io.on('hello', () => {
      throw new Error('mine')
    })
    nodes[0].io.serverSideEmit('hello')
    await expect.poll(() => nodes[1].errors).toMatchObject([{ message: 'mine' }])
    await settle()
  })
})

describe('namespaces', () => {
  test('are apart, on one connection of each server', async () => {
    for (const { io } of nodes) for (const name of ['/a', '/b', '/c']) io.of(name)
    const inA = await Promise.all(nodes.map((node) => bench.client(node, '/a')))
    const heard = [...inA, ...clients].map((client) => hear(client, 'test'))
    nodes[0].io.of('/a').emit('test', 'a')
    nodes[0].io.of('/b').emit('test', 'b')
    await settle()
    expect(heard.map((each) => each.flat())).toEqual([['a'], ['a'], ['a'], [], [], []])
    await expect.poll(() => counts(nodes, '/c')).toEqual([3, 3, 3])
    const { rows } = await nodes[0].pool.query(
      `select count(*)::int as listening from pg_catalog.pg_stat_activity
       where datname = current_database() and application_name = 'howdah'`,
    )
    expect(rows).toEqual([{ listening: 3 }])
  })

  test('may be made by a pattern, and go when they are empty', async () => {
    const [one, two] = await Promise.all(
      [0, 1].map(() => bench.node({ server: { cleanupEmptyChildNamespaces: true } })),
    )
    if (one === undefined || two === undefined) throw new Error('no nodes')
    for (const { io } of [one, two]) io.of(/^\/room-\d+$/)
    const first = await bench.client(one, '/room-1')
    const second = await bench.client(two, '/room-1')
    const heard = [first, second].map((client) => hear(client, 'test'))
    await expect.poll(() => counts([one, two], '/room-1')).toEqual([2, 2])
    one.io.of('/room-1').emit('test', 1)
    await expect.poll(() => heard.map((each) => each.flat())).toEqual([[1], [1]])
    second.disconnect()
    await expect.poll(() => counts([one], '/room-1')).toEqual([1])
    expect(await one.io.of('/room-1').fetchSockets()).toHaveLength(1)
  })
})

describe('createEmitter()', () => {
  test('reaches clients and servers from a process without a server, and is none itself', async () => {
    const pool = bench.database.pool()
    const emitter = createEmitter({ pool })
    const heard = clients.map((client) => hear(client, 'test'))
    const onServers: unknown[] = []
    for (const { io } of nodes) io.on('hello', (text: unknown) => onServers.push(text))
    await emitter.emit('test', 'all', Buffer.from([1]))
    await emitter.to(clients[1].id as string).emit('test', 'one')
    await emitter
      .except(clients[1].id as string)
      .compress(true)
      .emit('test', 'others')
    await emitter.of('elsewhere').emit('test', 'nobody')
    await emitter.serverSideEmit('hello', 'servers')
    await emitter.socketsJoin(['x', 'y'])
    await emitter.to('x').socketsLeave('y')
    await expect
      .poll(() => nodes.map(({ io }) => [...io.of('/').adapter.rooms.keys()].at(-1)))
      .toEqual(['x', 'x', 'x'])
    const all = ['all', Buffer.from([1])]
    await expect
      .poll(() => heard)
      .toEqual([
        [all, ['others']],
        [all, ['one']],
        [all, ['others']],
      ])
    await expect.poll(() => onServers).toEqual(['servers', 'servers', 'servers'])
    expect(await counts(nodes)).toEqual([3, 3, 3])
    await emitter.to('x').disconnectSockets(true)
    await expect
      .poll(() => clients.map(({ connected }) => connected))
      .toEqual([false, false, false])
    await Database.from(pool).close()
  })
})

test('createEmitter() sends volatile, which Socket.IO drops for a client whose connection is busy, until it arrives', async () => {
  const emitter = createEmitter({ pool: bench.database.pool() })
  const heard = clients.map((client) => hear(client, 'test'))
  await expect
    .poll(async () => {
      await emitter.volatile.emit('test', 'now')
      return heard.map(([first]) => first)
    })
    .toEqual([['now'], ['now'], ['now']])
})

describe('createAdapter()', () => {
  test('takes a PubSub to share, and leaves it open', async () => {
    const pubsub = new PubSub({ pool: nodes[0].pool })
    const io = new Server(createServer(), { adapter: createAdapter({ pubsub }) })
    await expect.poll(() => counts([nodes[0]])).toEqual([4])
    await io.close()
    await expect.poll(() => counts([nodes[0]])).toEqual([3])
    await pubsub.channel('still').publish(1)
    await pubsub.close()
  })

  test('keeps clusters of other names apart', async () => {
    const other = await bench.node({ adapter: { name: 'other' } })
    expect(await counts([other])).toEqual([1])
    expect(await other.io.fetchSockets()).toEqual([])
  })

  test('serves another server after its last was closed', async () => {
    const adapter = createAdapter({ pool: nodes[0].pool })
    for (let round = 0; round < 2; round++) {
      const io = new Server(createServer(), { adapter })
      expect(await io.of('/').adapter.serverCount()).toBe(4)
      await io.close()
      await expect.poll(() => counts([nodes[0]])).toEqual([3])
    }
  })

  test('leaves nothing behind that keeps a process alive, whatever is sent after close()', async () => {
    const file = fileURLToPath(new URL('./fixtures/socket-io-closer.ts', import.meta.url))
    const args = ['--import', 'tsx', file, bench.database.url]
    const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 20_000 })
    expect(stdout).toBe('closed with 4 servers\n')
    expect(await counts([nodes[0]])).toEqual([3])
  })

  test('tells of what it cannot send, and goes on', async () => {
    const heard = clients.map((client) => hear(client, 'test'))
    const cycle: { self?: unknown } = {}
    cycle.self = cycle
    nodes[0].io.serverSideEmit('test', cycle)
    nodes[0].io.serverSideEmit('test', Buffer.alloc(33 * 1024 * 1024))
    await expect.poll(() => nodes[0].errors.length).toBe(2)
    expect(nodes[0].errors[1]).toMatchObject({ code: 'PUBSUB_MESSAGE_TOO_LARGE' })
    nodes[0].io.emit('test', 1)
    await expect.poll(() => heard).toEqual([[[1]], [[1]], [[1]]])
  })

  test('refuses options that make no sense', () => {
    const pool = nodes[0].pool
    const pubsub = new PubSub({ pool })
    const bad = [
      {},
      { pool, pubsub },
      { pool: {} as typeof pool },
      { pool, name: '' },
      { pool, heartbeatInterval: 10 },
      { pool, heartbeatInterval: '5s', heartbeatTimeout: '5s' },
      { pool, onError: 7 as unknown as () => void },
    ] as const
    for (const options of bad) expect(() => createAdapter(options)).toThrow(/\w/)
    expect(() => createEmitter({})).toThrow(
      expect.objectContaining({ code: 'PUBSUB_INVALID_OPTION' }),
    )
  })
})
