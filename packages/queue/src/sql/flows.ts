import { defineStatement, type Statement } from '@howdah/core'

/** Adds a tree of jobs, given and answered as JSON. */
export const addFlow: (schema: string, tree: string) => Statement<{ readonly ids: string }> =
  defineStatement(
    'queue.add-flow',
    (s) => /* sql */ `select ${s}.queue_add_flow($1::text::json)::text as ids`,
    (tree) => [tree],
  )
