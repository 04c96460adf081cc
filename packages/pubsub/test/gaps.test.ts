import { type PostgresServer, startPostgres, startProxy } from '@howdah/testkit'
import { afterAll, expect, test } from 'vitest'
import { Bench, eventually, type Process, Recorder } from './support.js'

let server: PostgresServer
// Hooks of the end run last to first: the database goes before its server.
afterAll(() => server?.close())
const bench = new Bench().use(async () => {
  server = await startPostgres()
  return server.createDatabase()
})

/** Publishes until it is heard, for the pool may still hold connections of the server that is gone. */
async function flowsAgain(sender: Process, name: string, recorder: Recorder, message: string) {
  await eventually(async () => {
    await sender.pubsub
      .channel(name)
      .publish(message)
      .catch(() => {})
    return recorder.log.includes(message)
  }).toBe(true)
}

/** Breaks something between two messages: subscribers of channels and patterns hear of a gap before the later one. */
async function survives(receiver: Process, sender: Process, fail: () => Promise<void>) {
  const name = bench.name('gap')
  const [direct, byPattern, read] = [new Recorder(), new Recorder(), new Recorder()]
  await receiver.pubsub.channel(name).subscribe(direct.listener, direct.options)
  await receiver.pubsub.pattern('gap-*').subscribe(byPattern.listener, byPattern.options)
  const stop = new AbortController()
  const options = { ...read.options, signal: stop.signal }
  const reading = (async () => {
    for await (const { message } of receiver.pubsub.pattern('g*').messages(options))
      read.listener(message)
  })()
  const recorders = [direct, byPattern, read]
  for (const recorder of recorders) await flowsAgain(sender, name, recorder, 'before')
  await fail()
  for (const recorder of recorders) await flowsAgain(sender, name, recorder, 'after')
  for (const { log } of recorders) {
    const gap = log.indexOf('gap')
    expect(gap).toBeGreaterThan(log.indexOf('before'))
    expect(gap).toBeLessThan(log.indexOf('after'))
  }
  stop.abort()
  await reading
}

test('a server that was killed and started again', async () => {
  const [receiver, sender] = [bench.process(), bench.process()]
  for (const { pool } of [receiver, sender]) pool.on('error', () => {})
  await survives(receiver, sender, async () => {
    await server.kill()
    await eventually(() => receiver.db.hub.state).toBe('connecting')
    await server.start()
  })
})

test('a server that was restarted', async () => {
  const [receiver, sender] = [bench.process(), bench.process()]
  for (const { pool } of [receiver, sender]) pool.on('error', () => {})
  await survives(receiver, sender, async () => {
    await server.stop()
    await eventually(() => receiver.db.hub.state).toBe('connecting')
    await server.start()
  })
})

test('a connection that is frozen', async () => {
  await using proxy = await startProxy({ host: '127.0.0.1', port: server.port })
  const listen = proxy.url(bench.database.url)
  const receiver = bench.process({}, { listen, hub: { liveness: '500ms' } })
  const sender = bench.process()
  await survives(receiver, sender, async () => {
    proxy.freeze()
    await sender.pubsub.channel('gap-unheard').publish('unheard')
    await eventually(() => receiver.db.hub.state).toBe('connecting')
    proxy.cut()
    proxy.thaw()
  })
  await receiver.pubsub.close()
})
