/**
 * A shop on Express: sessions, a cache, jobs that belong to a transaction, live events, and metrics, all in one PostgreSQL.
 * Needs `DATABASE_URL`; `PORT` is 3000 unless it is given.
 */
import type { AddressInfo } from 'node:net'
import { Cache } from '@howdah/cache'
import { Database } from '@howdah/core'
import { metrics } from '@howdah/core/metrics'
import { PubSub } from '@howdah/pubsub'
import { SseGateway } from '@howdah/pubsub/sse'
import { Queue } from '@howdah/queue'
import { PgSessionStore } from '@howdah/session/express'
import express from 'express'
import session from 'express-session'
import { Pool } from 'pg'

declare module 'express-session' {
  interface SessionData {
    user: string
  }
}

const pool = new Pool({ connectionString: process.env['DATABASE_URL'] })
const db = Database.from(pool)
await pool.query(`create table if not exists shop_order
  (id bigint generated always as identity primary key, customer text not null, product text not null, sent boolean not null default false)`)

const prices = new Cache({ pool, namespace: 'prices', ttl: '5m' })
const parcels = new Queue<{ order: string }>('parcels', { pool })
const pubsub = new PubSub({ pool })
const sent = pubsub.channel<{ order: string }>('sent')
const store = new PgSessionStore({ pool, ttl: '7d' })
const measured = metrics([db.hub, prices, parcels, pubsub, store.sessions])

parcels.work(async (job) => {
  await pool.query('update shop_order set sent = true where id = $1', [job.payload.order])
  await sent.publish(job.payload)
})

const events = new SseGateway({
  resolve: (name) => (name === 'sent' ? sent : undefined),
  context: () => ({}),
  authorize: (_context, _channel, action) => action === 'subscribe',
})

const app = express()
app.get('/metrics', measured.handler)
app.get('/events', (request, response) => events.handle(request, response))
app.use(express.json())
app.use(
  session({
    store,
    secret: process.env['SESSION_SECRET'] ?? 'only for trying it out',
    resave: false,
    saveUninitialized: false,
    cookie: { httpOnly: true, sameSite: 'lax' },
  }),
)

app.post('/login', (request, response, next) => {
  const { user } = request.body as { user?: unknown }
  if (typeof user !== 'string' || user === '') return void response.sendStatus(400)
  // Another id at every login: one that somebody planted before is worth nothing then.
  request.session.regenerate((error) => {
    if (error) return next(error)
    request.session.user = user
    response.sendStatus(204)
  })
})

app.get('/prices/:product', async (request, response) => {
  const { product } = request.params
  // One process asks where the price comes from, however many want it.
  const price = await prices.getOrSet(product, async () => ({
    product,
    cents: 100 + product.length,
  }))
  response.json(price)
})

app.post('/orders', async (request, response) => {
  const { user } = request.session
  const { product } = request.body as { product?: unknown }
  if (user === undefined) return void response.sendStatus(401)
  if (typeof product !== 'string') return void response.sendStatus(400)
  // The order and its job, or neither.
  const order = await db.transaction(async (tx) => {
    const { rows } = await tx.query(
      'insert into shop_order (customer, product) values ($1, $2) returning id::text',
      [user, product],
    )
    const [{ id }] = rows as [{ id: string }]
    await parcels.add({ order: id }, { client: tx })
    return id
  })
  response.status(202).json({ order })
})

const server = app.listen(Number(process.env['PORT'] ?? 3000), () => {
  console.log(`The shop is at http://localhost:${(server.address() as AddressInfo).port}`)
})

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => void stop())

let stopping = false
async function stop(): Promise<void> {
  if (stopping) return
  stopping = true
  await events.close()
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
  // Waits for the job that runs.
  await parcels.close()
  await Promise.all([prices.close(), pubsub.close(), store.close()])
  measured.close()
  await db.close()
  await pool.end()
}
