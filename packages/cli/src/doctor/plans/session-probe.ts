import { createHash } from 'node:crypto'
import type { Installable } from '../../installed.js'
import { BACKLOG, NAME, type Probe, texts } from './probe.js'

/** Sessions of many users, ten each. */
export function sessionProbe({ hotStatements: hot }: Installable['session']): Probe {
  return {
    package: 'session',
    tables: ['session'],
    async *operations(run, schema) {
      const rules = { name: NAME, longest: null, rolling: true }
      const hashes = texts(BACKLOG, (n) => createHash('sha256').update(String(n)).digest('hex'))
      const write = (hash: string, n: number) => {
        const user = `u${Math.floor(n / 10)}`
        return { hash, data: '{}', user, ttl: 3_600_000, expiresAt: null, device: null }
      }
      const all = hashes.map(write)
      await run(hot.putSessions(schema, rules, all))
      const [one = ''] = hashes.slice(77)
      const ten = hashes.slice(1000, 1010)
      yield { name: 'reading a session', statement: hot.readSession(schema, NAME, one) }
      yield { name: 'reading 10 sessions', statement: hot.readSessions(schema, NAME, ten) }
      yield {
        name: 'saving a session',
        statement: hot.saveSessions(schema, rules, all.slice(5, 6), [1]),
      }
      yield {
        name: 'prolonging a session',
        statement: hot.touchSessions(schema, rules, 0, [
          { hash: one, ttl: 7_200_000, expiresAt: null },
        ]),
      }
      yield {
        name: 'listing the sessions of a user',
        statement: hot.listByUser(schema, NAME, 'u42'),
      }
    },
  }
}
