import { HowdahError } from '../errors.js'
import type { PoolClientLike, PoolLike, Queryable, QueryConfigLike } from '../queryable.js'
import type { Statement } from '../statement.js'
import type { DirectConnection, Driver } from './driver.js'
import { type ClientConstructor, openConnection, type PoolOptionsLike } from './pool-connection.js'
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
    async query(statement, prepare) {
      return (await pool.query(config(statement, prepare))).rows
    },
    transaction: (fn) => transaction(pool, fn),
    async *iterate(statement, batchSize) {
      const { client, release } = await checkOut(pool)
      let failure: unknown
      try {
        yield* readCursor(client, statement, batchSize)
      } catch (error) {
        failure = error
        throw error
      } finally {
        release(failure)
      }
    },
    async connect(url, signal): Promise<DirectConnection | undefined> {
      if (pool.Client === undefined || pool.options === undefined) return undefined
      return openConnection(pool.Client, pool.options, url, signal)
    },
  }
}

/** The form `pg` takes a statement in; without a name it is parsed each time, as poolers without statement support need. */
export function config({ name, text, values }: Statement, prepare: boolean): QueryConfigLike {
  return prepare
    ? { name, text, values: values as unknown[] }
    : { text, values: values as unknown[] }
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
    if (command === 'ROLLBACK') {
      throw new HowdahError(
        'CORE_TRANSACTION_ABORTED',
        'Nothing was committed: a statement of this transaction failed and its error was caught. Let it through, or use a savepoint.',
      )
    }
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

/** Takes a client out of the pool and keeps its connection errors from ending the process while it is out. */
async function checkOut(pool: PoolLike) {
  const client = await pool.connect()
  const emitter = client as Partial<Pick<NodeJS.EventEmitter, 'on' | 'off'>>
  // Without a listener, losing the server between two statements is an uncaught 'error' event. The next statement
  // on the connection fails anyway and says so to its caller.
  const ignore = () => {}
  emitter.on?.('error', ignore)
  const release = (failure: unknown) => {
    emitter.off?.('error', ignore)
    client.release(failure instanceof Error ? failure : failure !== undefined)
  }
  return { client, release }
}
