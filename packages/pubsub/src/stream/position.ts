import { pubSubError } from '../errors.js'
import type { After } from './batch.js'

/** A place in a stream as statements take it. */
export interface Cursor {
  /** `null` where only an offset is known. */
  readonly epoch: number | null
  /** The last message that was read; `null` is before the first there is, -1 after the last. */
  readonly offset: number | null
}

const POSITION = /^(\d{1,9}):(\d{1,16})$/
const LATEST = -1

/** @throws {@link HowdahError} PUBSUB_INVALID_OPTION */
export function parseAfter(after: After): Cursor {
  if (after === 'earliest') return { epoch: null, offset: null }
  if (after === 'latest') return { epoch: null, offset: LATEST }
  if (typeof after === 'number' && Number.isSafeInteger(after) && after >= 0) {
    return { epoch: null, offset: after }
  }
  const [, epoch, offset] = (typeof after === 'string' && POSITION.exec(after)) || []
  if (epoch !== undefined && Number.isSafeInteger(Number(offset))) {
    return { epoch: Number(epoch), offset: Number(offset) }
  }
  throw pubSubError(
    'PUBSUB_INVALID_OPTION',
    "after must be 'earliest', 'latest', an offset from 0, or a position that was read, such as '1:42'.",
  )
}

/** Writes a place down. */
export function position(epoch: number, offset: number): string {
  return `${epoch}:${offset}`
}
