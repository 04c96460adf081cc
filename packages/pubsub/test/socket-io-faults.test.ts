import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { startPostgres, startProxy } from '@howdah/testkit'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { Bench, counts, hear, type Node } from './socket-io-support.js'

let bench: Bench
const children: ChildProcess[] = []

beforeAll(async () => {
  bench = await Bench.start()
})
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
  await bench.afterEach()
})
afterAll(() => bench.close())

/** A server in a process of its own. */
async function foreign(recovery: 'yes' | 'no' = 'no') {
  const file = fileURLToPath(new URL('./fixtures/socket-io-server.ts', import.meta.url))
  const args = ['--import', 'tsx', file, bench.database.url, recovery]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  children.push(child)
  const [port] = (await once(child.stdout, 'data')) as [Buffer]
  return { child, url: `http://127.0.0.1:${String(port).trim()}` }
}

describe('a server that is killed', () => {
  test('is noticed by who asks, within the time a request may take', async () => {
    const nodes = (await bench.cluster(2)) as [Node, Node]
    const { child } = await foreign()
    await expect.poll(() => counts(nodes)).toEqual([3, 3])
    nodes[1].io.on('hello', (answer: (text: string) => void) => answer('here'))
    child.kill('SIGKILL')
    await once(child, 'exit')
    expect(await nodes[0].io.serverSideEmitWithAck('hello')).toEqual(['here'])
    expect(await counts([nodes[0]])).toEqual([2])
    expect(await nodes[0].io.fetchSockets()).toEqual([])
  })

  test('is noticed by its silence', async () => {
    const adapter = { heartbeatInterval: '1s', heartbeatTimeout: '2s' } as const
    const [node] = (await bench.cluster(1, { adapter })) as [Node]
    const { child } = await foreign()
    await expect.poll(() => counts([node])).toEqual([2])
    child.kill('SIGSTOP')
    await expect.poll(() => counts([node])).toEqual([1])
    child.kill('SIGCONT')
    await expect.poll(() => counts([node])).toEqual([2])
  })

  test('leaves its clients’ sessions to other servers', async () => {
    const server = { connectionStateRecovery: { maxDisconnectionDuration: 60_000 } }
    const [node] = (await bench.cluster(1, { server })) as [Node]
    const { child, url } = await foreign('yes')
    const client = bench.idle(url, '/', { reconnectionDelay: 20, randomizationFactor: 0 })
    const heard = hear(client, 'test')
    const greeted = hear(client, 'init')
    client.connect()
    await expect.poll(() => greeted.length).toBe(1)
    node.io.to('a').emit('test', 1)
    await expect.poll(() => heard.length).toBe(1)
    const { id, _pid: pid } = client as unknown as { readonly id: string; readonly _pid: string }
    const saved = 'select from howdah.socket_io_session where pid = $1'
    await expect.poll(async () => (await node.pool.query(saved, [pid])).rowCount).toBe(1)
    Object.assign(client.io, { uri: node.url })
    child.kill('SIGKILL')
    await once(child, 'exit')
    node.io.to('a').emit('test', 2)
    await expect
      .poll(() => client.connected && node.io.sockets.sockets.has(client.id ?? ''))
      .toBe(true)
    expect(client).toMatchObject({ recovered: true, id })
    node.io.to('a').emit('test', 3)
    await expect.poll(() => heard.map(([n]) => n)).toEqual([1, 2, 3])
    expect(node.io.sockets.sockets.get(id ?? '')?.data).toEqual({ from: 'killed' })
  })
})

describe('a database that fails', () => {
  test('interrupts broadcasts, and servers go on when it is back', async () => {
    await using server = await startPostgres()
    const database = await server.createDatabase()
    const options = { url: database.url }
    const nodes = (await bench.cluster(2, options)) as [Node, Node]
    const clients = await Promise.all(nodes.map((node) => bench.client(node)))
    const heard = clients.map((client) => hear(client, 'test'))
    await server.kill()
    nodes[0].io.emit('test', 'local')
    await expect.poll(() => heard[0]?.flat()).toEqual(['local'])
    expect(nodes[0].errors.length).toBeGreaterThan(0)
    await server.start()
    await expect
      .poll(() => {
        nodes[0].io.emit('test', 'again')
        return heard[1]?.flat().at(-1)
      })
      .toBe('again')
    await expect.poll(() => counts(nodes)).toEqual([2, 2])
    await bench.afterEach()
    await database.close()
  })

  test('delays what clients can recover, and loses nothing of it', async () => {
    await using server = await startPostgres()
    const database = await server.createDatabase()
    const nodes = (await bench.cluster(2, {
      url: database.url,
      server: { connectionStateRecovery: { maxDisconnectionDuration: 60_000 } },
    })) as [Node, Node]
    const clients = await Promise.all(nodes.map((node) => bench.client(node)))
    const heard = clients.map((client) => hear(client, 'test'))
    for (let n = 0; n < 300; n++) {
      nodes[0].io.emit('test', n)
      if (n === 100) await server.kill()
      if (n === 200) await server.start()
    }
    const all = Array.from({ length: 300 }, (_, n) => n)
    await expect
      .poll(() => heard.map((each) => each.flatMap(([n]) => n)), { timeout: 25_000 })
      .toEqual([all, all])
    await bench.afterEach()
    await database.close()
  }, 40_000)

  test('that is silent makes nobody count as gone, nor close() wait', async () => {
    const { hostname, port } = new URL(bench.database.url)
    const proxy = await startProxy({ host: hostname, port: Number(port) })
    const nodes = (await bench.cluster(2, { url: proxy.url(bench.database.url) })) as [Node, Node]
    proxy.freeze()
    await expect(nodes[0].io.serverSideEmitWithAck('hello')).rejects.toThrow('timeout')
    expect(await counts(nodes)).toEqual([2, 2])
    proxy.thaw()
    await expect.poll(() => counts(nodes)).toEqual([2, 2])
    proxy.freeze()
    const begun = performance.now()
    await nodes[1].io.close()
    expect(performance.now() - begun).toBeLessThan(2000)
    proxy.thaw()
    await bench.afterEach()
    await proxy.close()
  })
})
