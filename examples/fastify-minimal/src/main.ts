/**
 * Notes on Fastify: a cache that a transaction forgets with, a stream that clients follow, jobs in bulk, and metrics, all in one PostgreSQL.
 * Needs `DATABASE_URL`; `PORT` is 3000 unless it is given.
 */
import { Cache } from '@howdah/cache'
import { Database } from '@howdah/core'
import { metrics } from '@howdah/core/metrics'
import { PubSub } from '@howdah/pubsub'
import { SseGateway } from '@howdah/pubsub/sse'
import { Queue } from '@howdah/queue'
import { fastify } from 'fastify'
import { Pool } from 'pg'

interface Note {
  readonly id: string
  readonly text: string
  readonly words: number | null
}

const pool = new Pool({ connectionString: process.env['DATABASE_URL'] })
const db = Database.from(pool)
await pool.query(
  'create table if not exists note (id bigint generated always as identity primary key, text text not null, words integer)',
)

const notes = new Cache({ pool, namespace: 'notes', ttl: '1h' })
const counting = new Queue<{ id: string }>('counting', { pool })
const pubsub = new PubSub({ pool })
const changes = pubsub.stream<{ id: string; what: 'added' | 'counted' }>('note-changes', {
  retention: { maxAge: '7d' },
})
const measured = metrics([db.hub, notes, counting, pubsub])

counting.work(async (job) => {
  const { id } = job.payload
  // What the job does, that it is done, and that others are told: all of it, or nothing.
  await db.transaction(async (tx) => {
    await tx.query(
      `update note set words = cardinality(regexp_split_to_array(trim(text), '\\s+')) where id = $1`,
      [id],
    )
    await notes.delete(id, { client: tx })
    await changes.append({ id, what: 'counted' }, { client: tx })
    await job.complete({ client: tx })
  })
})

const events = new SseGateway({
  resolve: (name) => (name === 'note-changes' ? changes : undefined),
  context: () => ({}),
  authorize: (_context, _channel, action) => action === 'subscribe',
})

const app = fastify({ forceCloseConnections: true })
app.get('/metrics', measured.handler)
app.get('/events', (request, reply) => {
  reply.hijack()
  events.handle(request.raw, reply.raw)
})

app.post<{ Body: { readonly texts: readonly string[] } }>(
  '/notes',
  {
    schema: {
      body: {
        type: 'object',
        required: ['texts'],
        properties: {
          texts: { type: 'array', minItems: 1, maxItems: 1000, items: { type: 'string' } },
        },
      },
    },
  },
  async (request, reply) => {
    const ids = await db.transaction(async (tx) => {
      const { rows } = await tx.query(
        'insert into note (text) select t from unnest($1::text[]) as t returning id::text',
        [[...request.body.texts]],
      )
      const added = (rows as { id: string }[]).map(({ id }) => ({ id }))
      await counting.addMany(added, { client: tx })
      await changes.appendMany(
        added.map(({ id }) => ({ payload: { id, what: 'added' as const }, key: id })),
        { client: tx },
      )
      return added.map(({ id }) => id)
    })
    return reply.code(201).send({ ids })
  },
)

app.get<{ Params: { readonly id: string } }>('/notes/:id', async (request, reply) => {
  const { id } = request.params
  if (!/^\d{1,18}$/.test(id)) return reply.code(404).send({ error: 'There is no such note.' })
  const note = await notes.getOrSet<Note | null>(id, async () => {
    const { rows } = await pool.query<Note>(
      'select id::text, text, words from note where id = $1',
      [id],
    )
    return rows[0] ?? null
  })
  return note ?? reply.code(404).send({ error: 'There is no such note.' })
})

app.addHook('onClose', async () => {
  // Waits for the jobs that run.
  await counting.close()
  await Promise.all([notes.close(), pubsub.close()])
  measured.close()
  await db.close()
  await pool.end()
})

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, async () => {
    await events.close()
    await app.close()
  })
}

console.log(`Notes are at ${await app.listen({ port: Number(process.env['PORT'] ?? 3000) })}`)
