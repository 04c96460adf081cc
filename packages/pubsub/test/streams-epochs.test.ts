import { execFileSync } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Database } from '@howdah/core'
import { type PostgresServer, startPostgres } from '@howdah/testkit'
import pg from 'pg'
import { afterAll, expect, onTestFinished, test } from 'vitest'
import { PubSub, type Stream } from '../src/index.js'

const folder = mkdtempSync(join(tmpdir(), 'howdah-epochs-'))
chmodSync(folder, 0o755)
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** A process on a server's database. */
function on(url: string): { stream: Stream<number>; pool: pg.Pool } {
  const pool = new pg.Pool({ connectionString: url })
  pool.on('error', () => {})
  const pubsub = new PubSub({ pool })
  onTestFinished(async () => {
    await pubsub.close()
    await Database.from(pool).close()
    await pool.end()
  })
  return { stream: pubsub.stream<number>('s'), pool }
}

async function append(stream: Stream<number>, from: number, to: number): Promise<void> {
  for (let n = from; n <= to; n++) await stream.append(n)
}

function at(server: PostgresServer, name: string): string {
  const url = new URL(server.url)
  url.pathname = `/${name}`
  return url.href
}

test('a standby that lagged and was promoted answers reset to who has read more than it ever had', async () => {
  const [first, lagging] = [join(folder, 'first'), join(folder, 'lagging')]
  const server = await startPostgres({ dataDir: first, durable: true })
  onTestFinished(() => server.close())
  const admin = new pg.Client({ connectionString: server.url })
  await admin.connect()
  await admin.query('create database app')
  await admin.end()
  const before = on(at(server, 'app'))
  await append(before.stream, 1, 5)
  expect((await before.stream.read()).next).toBe('1:5')
  await server.stop()
  // The server may run as another user, to whom its files belong.
  execFileSync('cp', ['-a', first, lagging])
  await server.start()
  await append(before.stream, 6, 10)
  expect((await before.stream.read({ after: '1:5' })).next).toBe('1:10')
  await server.stop()

  const settings = { restore_command: 'false' }
  const standby = await startPostgres({ dataDir: lagging, durable: true, settings })
  onTestFinished(() => standby.close())
  await standby.stop()
  // Recovery ends where its log ends, and the server that comes out of it is on a timeline of its own.
  writeFileSync(join(lagging, 'recovery.signal'), '')
  await standby.start()
  const after = on(at(standby, 'app'))
  // Nothing was appended since: what the reader knows beyond the head is void already.
  expect(await after.stream.read({ after: '1:10' })).toMatchObject({
    continuity: 'reset',
    validUntil: 5,
  })
  await expect
    .poll(async () => (await after.pool.query('select pg_is_in_recovery() as r')).rows[0].r)
    .toBe(false)
  await append(after.stream, 106, 112)
  const reset = await after.stream.read({ after: '1:10' })
  expect(reset).toMatchObject({ continuity: 'reset', validUntil: 5, next: '2:12' })
  expect(reset.messages.map(({ payload }) => payload)).toEqual([106, 107, 108, 109, 110, 111, 112])
  // Who had read no more than both had just goes on.
  const fine = await after.stream.read({ after: '1:5' })
  expect(fine).toMatchObject({ continuity: 'ok', next: '2:12' })
  expect(await after.stream.read({ after: '2:12' })).toMatchObject({
    continuity: 'ok',
    messages: [],
  })
  const heard: unknown[] = []
  await after.stream.subscribe(({ payload }) => heard.push(payload), {
    after: '1:9',
    onDiscontinuity: (place) => void heard.push(place),
  })
  await expect
    .poll(() => heard)
    .toEqual([{ continuity: 'reset', validUntil: 5, lost: 0 }, 106, 107, 108, 109, 110, 111, 112])
}, 60_000)

test('a database restored on another server goes on, with what was not in order yet, each once', async () => {
  await using old = await startPostgres()
  const source = await old.createDatabase()
  const before = on(source.url)
  await append(before.stream, 1, 5)
  await before.stream.read()
  // Committed, and by the time of the dump not in order.
  await before.pool.query(`select howdah.append('s', '6'), howdah.append('s', '7')`)

  await using fresh = await startPostgres()
  const target = await fresh.createDatabase()
  const after = on(target.url)
  await after.stream.head()
  await restore(before.pool, after.pool)
  // Ids of the old server may lie above those of the new one.
  await after.pool.query(`update howdah.stream_log set xid = '1000000' where id <= 3`)
  await append(after.stream, 8, 9)
  const { messages, continuity, next } = await after.stream.read({ after: '1:5' })
  expect(continuity).toBe('ok')
  expect(next).toBe('2:9')
  expect(messages.map(({ payload }) => payload)).toEqual([6, 7, 8, 9])
  await append(after.stream, 10, 11)
  expect((await after.stream.read({ after: next })).messages.map(({ payload }) => payload)).toEqual(
    [10, 11],
  )
  expect((await after.stream.read()).messages.map(({ offset }) => offset)).toEqual(
    Array.from({ length: 11 }, (_, n) => n + 1),
  )
}, 60_000)

/** What pg_dump and psql would do with the tables of streams. */
async function restore(from: pg.Pool, to: pg.Pool): Promise<void> {
  for (const table of ['stream', 'stream_log', 'stream_segment', 'stream_tick', 'stream_epoch']) {
    await to.query(`delete from howdah.${table}`)
    const { rows } = await from.query<{ row: string }>(
      `select t::text as row from howdah.${table} t`,
    )
    for (const { row } of rows) {
      await to.query(
        `insert into howdah.${table} overriding system value select (($1::text)::howdah.${table}).*`,
        [row],
      )
    }
  }
  for (const sequence of ['stream_id_seq', 'stream_log_id_seq']) {
    const { rows } = await from.query(`select last_value::text as last from howdah.${sequence}`)
    await to.query(`select setval('howdah.${sequence}', $1::text::bigint)`, [rows[0].last])
  }
}
