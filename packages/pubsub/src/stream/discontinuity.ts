import { pubSubError } from '../errors.js'
import type { Batch } from './batch.js'
import type { FollowOptions } from './options.js'

/**
 * Tells the reader where a batch does not continue the one before.
 *
 * @throws {@link HowdahError} PUBSUB_TRUNCATED, PUBSUB_RESET where nobody wants to know
 */
export async function brokenBy(
  stream: string,
  { continuity, validUntil, lost }: Batch,
  onDiscontinuity: FollowOptions['onDiscontinuity'],
): Promise<void> {
  if (continuity === 'ok') return
  if (onDiscontinuity !== undefined) return onDiscontinuity({ continuity, validUntil, lost })
  if (continuity === 'truncated') {
    throw pubSubError(
      'PUBSUB_TRUNCATED',
      `${lost} messages of '${stream}' after offset ${validUntil} are no longer kept. Begin anew from your tables, or give onDiscontinuity and go on with what is left.`,
    )
  }
  throw pubSubError(
    'PUBSUB_RESET',
    `The database was replaced by one on which '${stream}' ends at offset ${validUntil}. Take back what was read beyond, or give onDiscontinuity.`,
  )
}
