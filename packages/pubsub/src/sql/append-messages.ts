import { defineStatement, type Statement } from '@howdah/core'
import { SEPARATOR } from '../migrations/fragments.js'

/** A message as it is stored. */
export interface StoredMessage {
  readonly stream: number
  /** JSON. */
  readonly payload: string
  readonly key: string | null
  /** JSON. */
  readonly headers: string | null
}

/** Appends messages; answers their ids in their order. */
export const appendMessages: (
  schema: string,
  messages: readonly StoredMessage[],
) => Statement<{ ids: string }> = defineStatement(
  'stream.append',
  (s) => /* sql */ `
    select ${s}.stream_append($1::integer[], $2::text, $3::text[], $4::text[]) as ids`,
  (messages) => [
    messages.map(({ stream }) => stream),
    messages.map(({ payload }) => payload).join(SEPARATOR),
    messages.some(({ key }) => key !== null) ? messages.map(({ key }) => key) : null,
    messages.some(({ headers }) => headers !== null)
      ? messages.map(({ headers }) => headers)
      : null,
  ],
)

/** What an append that is checked first answers. */
export interface CheckedAppend {
  readonly ids: string | null
  /** Numbers of the messages, counted from 1, that came before. */
  readonly duplicates: string | null
  /** The head, where it is not the one that was expected. */
  readonly conflict: string | null
}

/** Appends messages of one stream that must not come twice, or only at the expected head. */
export const appendChecked: (
  schema: string,
  messages: readonly StoredMessage[],
  dedup: readonly (string | null)[],
  expected: number | null,
) => Statement<CheckedAppend> = defineStatement(
  'stream.append-checked',
  (s) => /* sql */ `
    select r.ids, r.duplicates, r.conflict::text as conflict
    from ${s}.stream_append_checked($1::integer, $2::text, $3::text[], $4::text[], $5::text[], $6::text::bigint) r`,
  (messages, dedup, expected) => [
    messages[0]?.stream ?? null,
    messages.map(({ payload }) => payload).join(SEPARATOR),
    messages.map(({ key }) => key),
    messages.map(({ headers }) => headers),
    dedup,
    expected === null ? null : String(expected),
  ],
)
