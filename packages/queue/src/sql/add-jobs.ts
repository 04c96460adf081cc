import { defineStatement, type Statement } from '@howdah/core'
import { SEPARATOR } from '../migrations/fragments.js'

/** Adds jobs and answers their ids in the order of the payloads, divided by commas. `spec` is what `queue_add` says of `_spec`. */
export const addJobs: (
  schema: string,
  queue: number,
  payloads: readonly string[],
  spec: string | null,
) => Statement<{ readonly ids: string }> = defineStatement(
  'queue.add',
  (s) => /* sql */ `select ${s}.queue_add($1::int, $2::text, $3::text::jsonb) as ids`,
  (queue, payloads, spec) => [queue, payloads.join(SEPARATOR), spec],
)
