// A gateway in a process of its own, so that its CPU time is its alone: started by pubsub-ws.ts with the database's URL.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { PubSub } from '@howdah/pubsub'
import { WebSocketGateway } from '@howdah/pubsub/websocket'
import { Pool } from 'pg'

const [databaseUrl] = process.argv.slice(2)
const pool = new Pool({ connectionString: databaseUrl, max: 2 })
const pubsub = new PubSub({ pool })
const gateway = new WebSocketGateway({
  resolve: (name) => (name.startsWith('stream') ? pubsub.stream(name) : pubsub.channel(name)),
  context: () => ({}),
  authorize: () => true,
})
const server = createServer()
gateway.attach(server, { path: '/realtime' })
server.listen(0, '127.0.0.1', () => {
  process.send?.({ port: (server.address() as AddressInfo).port })
})

process.on('message', () => {
  const { user, system } = process.cpuUsage()
  process.send?.({
    cpuSeconds: (user + system) / 1e6,
    rss: process.memoryUsage().rss,
    ...gateway.stats(),
  })
})
process.on('disconnect', () => process.exit())
