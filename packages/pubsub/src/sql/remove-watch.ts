import { defineStatement, type Statement } from '@howdah/core'

/** Removes the triggers of a watch and their function. */
export const removeWatch: (schema: string, stream: string) => Statement = defineStatement(
  'watch.remove',
  (s) => /* sql */ `select 1 as done from ${s}.watch_remove($1::text)`,
  (stream) => [stream],
)
