import type { PGliteTransactionLike } from '../clients/pglite.js'
import { withBuffers } from '../clients/recognise.js'
import type { PGliteLike, Queryable } from '../queryable.js'
import { type DirectConnection, type Driver, transactionAborted } from './driver.js'
import { readHeldCursor } from './pglite-cursor.js'

/**
 * Driver over PGlite, PostgreSQL compiled to WebAssembly: one connection in this process, which serves `LISTEN` too. What would
 * take a second connection (`connect`) is answered on that one.
 */
export function pgliteDriver(pglite: PGliteLike): Driver {
  return {
    kind: 'pglite',
    async query({ text, values }) {
      return withBuffers((await pglite.query(text, [...values])).rows)
    },
    transaction: (fn) => pglite.transaction((tx: PGliteTransactionLike) => transaction(tx, fn)),
    iterate: (statement, batchSize) => readHeldCursor(pglite, statement, batchSize),
    connect: () => connect(pglite),
  }
}

async function transaction<T>(
  tx: PGliteTransactionLike,
  fn: (connection: Queryable) => Promise<T>,
): Promise<T> {
  let failed = false
  const result = await fn({
    async query({ text, values }) {
      try {
        return { rows: withBuffers((await tx.query(text, values)).rows) }
      } catch (error) {
        failed = true
        throw error
      }
    },
  })
  // An aborted transaction refuses every statement; one that went back to a savepoint goes on.
  if (failed) await tx.query('select 1').catch(() => Promise.reject(transactionAborted()))
  return result
}

async function connect(pglite: PGliteLike): Promise<DirectConnection> {
  await pglite.waitReady
  const stops: (() => Promise<void>)[] = []
  let listener: (channel: string, payload: string) => void = () => {}
  return {
    processId: undefined,
    async query({ text, values }) {
      const channel = /^listen "((?:[^"]|"")+)"$/i.exec(text)?.[1]?.replaceAll('""', '"')
      if (channel === undefined) return pglite.query(text, values)
      const quoted = `"${channel.replaceAll('"', '""')}"`
      const stop = await pglite.listen(quoted, (payload) => listener(channel, payload))
      stops.push(stop as () => Promise<void>)
      return { rows: [] }
    },
    onNotification(next) {
      listener = next
    },
    onLost() {},
    async close() {
      await Promise.all(stops.map((stop) => stop().catch(() => {})))
    },
  }
}
