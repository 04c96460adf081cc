/**
 * A snapshot of a table and the position in its stream that belongs to it.
 *
 * Two transactions:
 * - A puts in order what its snapshot sees, as the first thing it does, so that up to the head it then reads the stream holds what that snapshot
 *   shows, and nothing else. It exports the snapshot and commits at once, for nobody puts messages in order meanwhile.
 * - B imports that snapshot while A is open, and reads the rows through a cursor for as long as it takes.
 *
 * Invariants
 * - B has its connection, and the table, before A begins: A never waits for anything but its turn to put messages in order.
 * - A fails where another was faster to put in order what it sees, for its snapshot is then the older one, and is tried again.
 *
 * PGlite has one connection, which a transaction would keep from everybody: there A computes the rows into a cursor that outlives it.
 */
import { setTimeout as later } from 'node:timers/promises'
import { type Database, sqlState, type Transaction } from '@howdah/core'
import { pubSubError } from '../errors.js'
import { readStream } from '../sql/read-stream.js'
import { sequenceStreams } from '../sql/sequence-streams.js'
import { whole } from '../stream/options.js'
import { position } from '../stream/position.js'
import type { BootstrapOptions } from './options.js'
import type { WatchedRow } from './row-change.js'

/** Rows of a table, and where in the stream to go on. */
export interface Bootstrap<Row> extends AsyncDisposable {
  /** Where the changes that the rows do not show begin: pass it as `after`. */
  readonly position: string
  /** The rows, once, in no order. */
  readonly rows: AsyncIterable<WatchedRow<Row>>
  /** Gives the connection back, for those who do not read the rows to their end. */
  close(): Promise<void>
}

/** What is to be read. */
export interface BootstrapSource {
  readonly stream: number
  /** The table, quoted. */
  readonly named: string
  readonly query: string
}

const MAX_BATCH = 100_000
const CONNECTION_MS = 10_000
/** Under a constant load another is faster now and then, not always. */
const ATTEMPTS = 200
const LONGEST_PAUSE_MS = 20
/** Unique violation and serialization failure: the snapshot is older than the last tick. */
const OVERTAKEN = new Set(['23505', '40001'])
/** As the trigger functions have it, so that values read the same. */
const SETTINGS = `select set_config('search_path', 'pg_catalog, pg_temp', true), set_config('timezone', 'UTC', true),
  set_config('datestyle', 'ISO', true), set_config('intervalstyle', 'iso_8601', true), set_config('bytea_output', 'hex', true),
  set_config('extra_float_digits', '1', true)`

let cursors = 0

/** @throws {@link HowdahError} PUBSUB_INVALID_OPTION, PUBSUB_NO_CONNECTION */
export async function openBootstrap<Row>(
  db: Database,
  source: BootstrapSource,
  { batchSize = 1000 }: BootstrapOptions,
): Promise<Bootstrap<Row>> {
  whole('batchSize', batchSize, 1, MAX_BATCH)
  const open = db.kind === 'pglite' ? openHeld : openShared
  const { at, fetch, close } = await open(db, source, batchSize)
  return {
    position: at,
    rows: read<Row>(fetch, batchSize, close),
    close,
    [Symbol.asyncDispose]: close,
  }
}

interface Opened {
  readonly at: string
  fetch(): Promise<readonly SnapshotRow[]>
  close(): Promise<void>
}

interface SnapshotRow {
  readonly key: string
  readonly payload: string
}

async function* read<Row>(
  fetch: Opened['fetch'],
  batchSize: number,
  close: Opened['close'],
): AsyncGenerator<WatchedRow<Row>, void, void> {
  try {
    for (;;) {
      const rows = await fetch()
      for (const { key, payload } of rows) yield { id: key, ...JSON.parse(payload) }
      if (rows.length < batchSize) return
    }
  } finally {
    await close()
  }
}

async function openShared(
  db: Database,
  source: BootstrapSource,
  batchSize: number,
): Promise<Opened> {
  let end: () => void = () => {}
  const ended = new Promise<void>((resolve) => {
    end = resolve
  })
  let opened: (tx: Transaction, at: string) => void = () => {}
  const opening = new Promise<{ tx: Transaction; at: string }>((resolve) => {
    opened = (tx, at) => resolve({ tx, at })
  })
  const reading = db.transaction(async (tx) => {
    await tx.query('set transaction isolation level repeatable read, read only')
    // Or a TRUNCATE in between would leave the snapshot without rows it shows.
    await tx.query(`lock table ${source.named} in access share mode`)
    const at = await attempt(() => share(db, source.stream, tx))
    await tx.query(SETTINGS)
    await tx.query(`declare howdah_watch no scroll cursor for ${source.query}`)
    opened(tx, at)
    await ended
  })
  // Where it fails to open, it settles first, and with the reason.
  const { tx, at } = (await Promise.race([opening, reading])) as { tx: Transaction; at: string }
  return {
    at,
    fetch: async () => (await tx.query(`fetch ${batchSize} from howdah_watch`)).rows,
    close: () => {
      end()
      // A statement that failed has told its caller, and all this transaction could lose is its end.
      return reading.catch(() => {})
    },
  }
}

/** Runs A, and hands its snapshot to B. Answers the position. */
async function share(db: Database, stream: number, reader: Transaction): Promise<string> {
  let given = false
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      given = true
      reject(noConnection())
    }, CONNECTION_MS)
  })
  const sharing = db.transaction(async (tx) => {
    clearTimeout(timer)
    if (given) throw noConnection()
    const at = await sequence(db, stream, tx)
    const { rows } = await tx.query('select pg_export_snapshot() as snapshot')
    await reader.query(`set transaction snapshot '${rows[0].snapshot}'`)
    return at
  })
  sharing.catch(() => {})
  try {
    return await Promise.race([sharing, late])
  } finally {
    clearTimeout(timer)
  }
}

/** Puts in order what the transaction sees, which has done nothing yet, and answers the position of the stream's head. */
async function sequence(db: Database, stream: number, tx: Transaction): Promise<string> {
  await tx.query('set transaction isolation level repeatable read')
  await db.query(sequenceStreams(db.schema, true), tx)
  const [row] = await db.query(readStream(db.schema, stream, null, -1, 1, 1), tx)
  return position(row?.epoch ?? 1, Number(row?.head ?? 0))
}

async function attempt<T>(run: () => Promise<T>): Promise<T> {
  for (let left = ATTEMPTS; ; left--) {
    try {
      return await run()
    } catch (error) {
      if (left === 0 || !OVERTAKEN.has(sqlState(error) ?? '')) throw error
      await later(Math.random() * LONGEST_PAUSE_MS)
    }
  }
}

async function openHeld(db: Database, source: BootstrapSource, batchSize: number): Promise<Opened> {
  const name = `howdah_watch_${++cursors}`
  const run = async (text: string) =>
    (await db.query({ name: '', text, values: [] })) as SnapshotRow[]
  const at = await db.transaction(async (tx) => {
    const head = await sequence(db, source.stream, tx)
    await tx.query(SETTINGS)
    await tx.query(`declare ${name} no scroll cursor with hold for ${source.query}`)
    return head
  })
  let closing: Promise<unknown> | undefined
  return {
    at,
    fetch: () => run(`fetch ${batchSize} from ${name}`),
    close: async () => {
      closing ??= run(`close ${name}`)
      await closing
    },
  }
}

function noConnection() {
  return pubSubError(
    'PUBSUB_NO_CONNECTION',
    'The pool has no second connection for a bootstrap within ten seconds. Give it at least two, or end what holds them.',
  )
}
