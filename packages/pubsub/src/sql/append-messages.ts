import { defineStatement, literal, type Statement } from '@howdah/core'
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
const appendMessages: (
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

/** Appends messages of one stream that are nothing but their payloads, as most are: an eighth less than the function takes. */
const appendAlike: (
  schema: string,
  stream: number,
  payloads: readonly string[],
) => Statement<{ ids: string }> = defineStatement(
  'stream.append-alike',
  (s) => /* sql */ `
    with added as (
      insert into ${s}.stream_log (stream, payload)
      select $1::integer, p.payload::json from unnest(string_to_array($2::text, ${literal(SEPARATOR)})) as p(payload)
      where exists (select from ${s}.stream t where t.id = $1::integer)
      returning id
    )
    select string_agg(a.id::text, ',' order by a.id) as ids from added a`,
  (stream, payloads) => [stream, payloads.join(SEPARATOR)],
)

/** Appends messages in the cheapest way there is for them; answers their ids in their order, or nothing where their stream was dropped. */
export function append(
  schema: string,
  messages: readonly StoredMessage[],
): Statement<{ ids: string | null }> {
  const first = messages[0] as StoredMessage
  if (messages.length === 1) return appendMessage(schema, first)
  const alike = messages.every(
    ({ stream, key, headers }) => stream === first.stream && key === null && headers === null,
  )
  if (!alike) return appendMessages(schema, messages)
  return appendAlike(
    schema,
    first.stream,
    messages.map(({ payload }) => payload),
  )
}

/** Appends one message: a function would cost as much again as the row. */
const appendMessage: (schema: string, message: StoredMessage) => Statement<{ ids: string }> =
  defineStatement(
    'stream.append-one',
    (s) => /* sql */ `
      insert into ${s}.stream_log (stream, key, headers, payload)
      select t.id, $2::text, $3::text::json, $4::text::json from ${s}.stream t where t.id = $1::integer
      returning id::text as ids`,
    ({ stream, key, headers, payload }) => [stream, key, headers, payload],
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
