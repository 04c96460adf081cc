import type { Installable } from '../../installed.js'
import { BACKLOG, NAME, type Probe, texts } from './probe.js'

/** A namespace of entries. */
export function cacheProbe({ hotStatements: hot }: Installable['cache']): Probe {
  return {
    package: 'cache',
    tables: ['cache_entry'],
    async *operations(run, schema) {
      await run(hot.openNamespace(schema, NAME, false))
      const keys = texts(BACKLOG, (n) => `k${n}`)
      const values = texts(BACKLOG, (n) => `n${n}`)
      await run(hot.putEntries(schema, false, NAME, keys, values, [3_600_000], null, false))
      const ten = keys.slice(1000, 1010)
      const put = (some: readonly string[]) =>
        hot.putEntries(schema, false, NAME, some, values.slice(0, some.length), [1e6], null, false)
      yield { name: 'reading an entry', statement: hot.getValue(schema, false, NAME, 'k77') }
      yield { name: 'reading 10 entries', statement: hot.getValues(schema, false, NAME, ten) }
      yield { name: 'writing 10 entries', statement: put(ten) }
      yield {
        name: 'prolonging an entry',
        statement: hot.touchEntries(schema, false, NAME, ['k88'], [2e6], false),
      }
      yield {
        name: 'removing an entry',
        statement: hot.removeEntries(schema, false, NAME, ['k99'], false, false),
      }
    },
  }
}
