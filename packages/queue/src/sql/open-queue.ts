import { defineStatement, type Statement } from '@howdah/core'

/** Answers the number of a queue; settings that are given become those of all its processes. */
export const openQueue: (
  schema: string,
  name: string,
  settings: string,
) => Statement<{ readonly id: number }> = defineStatement(
  'queue.open',
  (s) => /* sql */ `select ${s}.queue_open($1::text, $2::text::jsonb) as id`,
  (name, settings) => [name, settings],
)
