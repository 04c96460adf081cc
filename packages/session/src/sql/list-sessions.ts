import { defineStatement, type Statement } from '@howdah/core'
import type { SessionRow } from './load-session.js'

/** Reads every live session, in the order of their hashes. */
export const listSessions: (schema: string) => Statement<SessionRow & { id_hash: string }> =
  defineStatement(
    'session.list',
    (s) => /* sql */ `
      select encode(id_hash, 'hex') as id_hash, data, touched,
        extract(epoch from expires_at)::double precision * 1000 as expires_at
      from ${s}.session
      where data is not null and expires_at > now()
      order by id_hash`,
    () => [],
  )
