import { defineStatement, type Statement } from '@howdah/core'

/** Adds a tree of jobs, given and answered as JSON; its nodes say which payload is theirs, counted from 1. */
export const addFlow: (
  schema: string,
  tree: string,
  payloads: readonly string[],
) => Statement<{ readonly ids: string }> = defineStatement(
  'queue.add-flow',
  (s) => /* sql */ `select ${s}.queue_add_flow($1::text::json, $2::text[])::text as ids`,
  (tree, payloads) => [tree, payloads],
)
