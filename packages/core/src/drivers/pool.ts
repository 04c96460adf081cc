import type {
  PoolClientLike,
  PoolLike,
  Queryable,
  QueryConfigLike,
  QueryResultLike,
} from '../queryable.js'
import type { Statement } from '../statement.js'
import { type DirectConnection, type Driver, transactionAborted } from './driver.js'
import {
  type ClientConstructor,
  openConnection,
  type PoolOptionsLike,
  portableOptions,
} from './pool-connection.js'
import { readCursor } from './pool-cursor.js'

/** `pg.Pool` as it is at run time; `Client` and `options` let us open a connection just like the pool's own. */
type PgPool = PoolLike & {
  readonly Client?: ClientConstructor
  readonly options?: PoolOptionsLike
}

/** Driver over `pg.Pool` and pools that look like it. */
export function poolDriver(source: PoolLike): Driver {
  const pool = source as PgPool
  return {
    kind: 'pg',
    query: (statement, prepare) => query(pool, config(statement, prepare)),
    transaction: (fn) => transaction(pool, fn),
    async *iterate(statement, batchSize) {
      const { client, lost, release } = await checkOut(pool)
      try {
        yield* readCursor(client, statement, batchSize, lost)
      } finally {
        release()
      }
    },
    async connect(url, signal): Promise<DirectConnection | undefined> {
      if (pool.Client === undefined || pool.options === undefined) return undefined
      return openConnection(pool.Client, pool.options, url, signal)
    },
    async connectionOptions() {
      if (pool.Client === undefined || pool.options === undefined) return undefined
      return portableOptions(pool.options)
    },
  }
}

/** The form `pg` takes a statement in; without a name it is parsed each time, as poolers without statement support need. */
export function config({ name, text, values }: Statement, prepare: boolean): QueryConfigLike {
  return prepare
    ? { name, text, values: values as unknown[] }
    : { text, values: values as unknown[] }
}

/**
 * Does what `pool.query()` does, except that a connection outlives a statement that the server refused: the pool's own closes
 * it, so that each duplicate key would cost a new connection. The statement goes out in the turn in which the pool gives the connection.
 */
function query(pool: PoolLike, config: QueryConfigLike): Promise<unknown[]> {
  return new Promise((resolve, reject) => {
    connect(
      pool,
      (client) => {
        let lostTo: unknown
        const onError = (error: unknown) => {
          lostTo = error
        }
        const emitter = client as Emitting
        emitter.on?.('error', onError)
        const release = (failure: unknown) => {
          emitter.off?.('error', onError)
          client.release(failure instanceof Error ? failure : failure !== undefined)
        }
        run(client, config).then(
          ({ rows }) => {
            release(lostTo)
            resolve(rows)
          },
          (error) => {
            const refused = (error as { severity?: unknown } | undefined)?.severity === 'ERROR'
            release(refused ? lostTo : error)
            reject(error)
          },
        )
      },
      reject,
    )
  })
}

/** A client may throw instead of rejecting. */
async function run(client: PoolClientLike, config: QueryConfigLike): Promise<QueryResultLike> {
  return client.query(config)
}

async function transaction<T>(
  pool: PoolLike,
  fn: (connection: Queryable) => Promise<T>,
): Promise<T> {
  const { client, release } = await checkOut(pool)
  let failure: unknown
  try {
    await client.query({ text: 'begin' })
    const result = await fn(client)
    const { command } = (await client.query({ text: 'commit' })) as { command?: string }
    // A statement that failed and was caught leaves the transaction aborted; its COMMIT answers ROLLBACK, not an error.
    if (command === 'ROLLBACK') throw transactionAborted()
    return result
  } catch (error) {
    failure = await rollback(client)
    throw error
  } finally {
    release(failure)
  }
}

/** Rolls back; answers the error that makes the connection unfit for further use, if any. */
async function rollback(client: PoolClientLike): Promise<unknown> {
  try {
    await client.query({ text: 'rollback' })
    return undefined
  } catch (error) {
    return error ?? new Error('rollback failed')
  }
}

type Emitting = Partial<Pick<NodeJS.EventEmitter, 'on' | 'off'>>

/**
 * Calls `onTaken` in the same turn in which the pool takes its own listener from the client: a promise is told a moment later, and the
 * server may go in between.
 */
function connect(
  pool: PgPool,
  onTaken: (client: PoolClientLike) => void,
  onFailed: (error: unknown) => void,
): void {
  if (pool.Client === undefined) {
    pool.connect().then(onTaken, onFailed)
    return
  }
  const connectWith = pool.connect.bind(pool) as unknown as ConnectWithCallback
  connectWith((error, client) => {
    if (client === undefined) onFailed(error)
    else onTaken(client)
  })
}

type ConnectWithCallback = (
  onConnect: (error: unknown, client: PoolClientLike | undefined) => void,
) => void

/** Takes a client out of the pool and keeps its connection errors from ending the process while it is out. */
async function checkOut(pool: PoolLike) {
  let onError: (error: unknown) => void = () => {}
  let lostTo: unknown
  const lost = new Promise<void>((resolve) => {
    // Without a listener, losing the server between two statements is an uncaught 'error' event. The next statement
    // on the connection fails anyway and says so to its caller.
    onError = (error) => {
      lostTo = error
      resolve()
    }
  })
  const client = await new Promise<PoolClientLike>((resolve, reject) => {
    const onTaken = (taken: PoolClientLike) => {
      const emitter = taken as Emitting
      emitter.on?.('error', onError)
      resolve(taken)
    }
    connect(pool, onTaken, reject)
  })
  const emitter = client as Emitting
  /** Gives the client back; the pool drops a connection that failed. */
  const release = (failure: unknown = lostTo) => {
    emitter.off?.('error', onError)
    client.release(failure instanceof Error ? failure : failure !== undefined)
  }
  return { client, lost, release }
}
