import { defineStatement, type Statement } from '@howdah/core'
import type { Continuity } from '../stream/batch.js'

/** What a read finds. */
export interface ReadRow {
  /** `null` when there is no such stream; then all else is, too. */
  readonly epoch: number | null
  readonly head: string
  readonly start: string
  readonly continuity: Continuity
  readonly valid: string
  readonly lost: string
  readonly payloads: string | null
  readonly keys: readonly (string | null)[] | null
  readonly headers: readonly (Readonly<Record<string, string>> | null)[] | null
  readonly ats: string | null
}

/** Reads what follows an offset: `null` for the beginning, -1 for the end. `epoch` is `null` for an offset without one. */
export const readStream: (
  schema: string,
  stream: number,
  epoch: number | null,
  after: number | null,
  limit: number,
  bytes: number,
) => Statement<ReadRow> = defineStatement(
  'stream.read',
  (s) => /* sql */ `
    select r.epoch, r.head::text as head, r.start::text as start, r.continuity, r.valid::text as valid, r.lost::text as lost,
      r.payloads, r.keys, r.headers, r.ats
    from ${s}.stream_read($1::integer, $2::integer, $3::text::bigint, $4::integer, $5::bigint) r`,
  (stream, epoch, after, limit, bytes) => [
    stream,
    epoch,
    after === null ? null : String(after),
    limit,
    bytes,
  ],
)
