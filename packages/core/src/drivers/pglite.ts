import type { PGliteLike, Queryable } from '../queryable.js'
import type { DirectConnection, Driver } from './driver.js'

interface PGliteTransaction {
  query(text: string, values?: unknown[]): Promise<{ rows: unknown[] }>
}

/**
 * Driver over PGlite, PostgreSQL compiled to WebAssembly: one connection in this process, which serves `LISTEN` too. What would
 * take a second connection (`connect`) is answered on that one.
 */
export function pgliteDriver(pglite: PGliteLike): Driver {
  return {
    kind: 'pglite',
    async query({ text, values }) {
      return (await pglite.query(text, [...values])).rows
    },
    transaction: (fn) => pglite.transaction((tx: PGliteTransaction) => fn(queryable(tx))),
    async *iterate(statement, batchSize) {
      // One connection cannot hold a portal open while the application goes on, so rows are read at once and handed out in batches.
      const { rows } = await pglite.query(statement.text, [...statement.values])
      for (let at = 0; at < rows.length; at += batchSize) yield rows.slice(at, at + batchSize)
    },
    connect: () => connect(pglite),
  }
}

function queryable(tx: PGliteTransaction): Queryable {
  return { query: ({ text, values }) => tx.query(text, values) }
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
    unref() {},
    async close() {
      await Promise.all(stops.map((stop) => stop().catch(() => {})))
    },
  }
}
