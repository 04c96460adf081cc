import { defineStatement, type Statement } from '@howdah/core'

/** Reads the hash of every live session. */
export const listSessionIds: (schema: string) => Statement<{ id_hash: string }> = defineStatement(
  'session.ids',
  (s) => /* sql */ `
    select encode(id_hash, 'hex') as id_hash
    from ${s}.session
    where data is not null and expires_at > now()
    order by session.id_hash`,
  () => [],
)
