import { defineStatement, type Statement } from '@howdah/core'
import type { WatchDefinition } from '../watch/options.js'

/** Puts the triggers of a watch on its table, or brings them up to date. */
export const installWatch: (schema: string, watch: WatchDefinition) => Statement = defineStatement(
  'watch.install',
  (s) => /* sql */ `
    select 1 as done
    from ${s}.watch_install(to_regclass($1::text), $2::text, $3::text[], $4::text, $5::boolean, $6::boolean)`,
  ({ table, stream, columns, where, diff, old }) => [table, stream, columns, where, diff, old],
)
