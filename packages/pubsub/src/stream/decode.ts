import { SEPARATOR } from '../migrations/fragments.js'
import type { ReadRow } from '../sql/read-stream.js'
import type { Batch, StreamMessage } from './batch.js'
import { position } from './position.js'

/** A batch with what the cache needs to know. */
export interface Read extends Batch {
  readonly epoch: number
  /** Offset that the first message follows. */
  readonly start: number
  /** Length of the payloads as text. */
  readonly size: number
}

/** Turns what the server answered into messages. */
export function decodeRead(row: ReadRow & { readonly epoch: number }): Read {
  const start = Number(row.start)
  const messages = row.payloads === null ? [] : decodeMessages(row, row.payloads, start)
  return {
    epoch: row.epoch,
    start,
    size: row.payloads?.length ?? 0,
    messages,
    continuity: row.continuity,
    validUntil: Number(row.valid),
    lost: Number(row.lost),
    next: position(row.epoch, start + messages.length),
    head: Number(row.head),
  }
}

function decodeMessages(
  { epoch, keys, headers, ats }: ReadRow,
  payloads: string,
  start: number,
): StreamMessage[] {
  const times = (ats ?? '').split(',')
  // Valid JSON holds no separator, so one parse does for all.
  const values = JSON.parse(`[${payloads.replaceAll(SEPARATOR, ',')}]`) as unknown[]
  return values.map((payload, n) => ({
    offset: start + n + 1,
    position: position(epoch as number, start + n + 1),
    key: keys?.[n] ?? undefined,
    payload,
    headers: headers?.[n] ?? undefined,
    at: Number(times[n]),
  }))
}
