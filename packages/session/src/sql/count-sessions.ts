import { defineStatement, type Statement } from '@howdah/core'

/** Counts the live sessions. */
export const countSessions: (schema: string) => Statement<{ n: string }> = defineStatement(
  'session.count',
  (s) => /* sql */ `
    select count(*)::text as n from ${s}.session where data is not null and expires_at > now()`,
  () => [],
)
