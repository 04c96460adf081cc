import { defineStatement, type Statement } from '@howdah/core'

/** Answers a stream's number, making the stream with `settings` if need be. */
export const openStream: (
  schema: string,
  name: string,
  settings: string,
) => Statement<{ id: number }> = defineStatement(
  'stream.open',
  (s) => /* sql */ `select ${s}.stream_open($1::text, $2::text::jsonb) as id`,
  (name, settings) => [name, settings],
)
