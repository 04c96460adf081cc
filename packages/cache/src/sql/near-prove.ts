import { defineStatement, type Statement } from '@howdah/core'

/**
 * Sends `$1` through the hub, if every registration still holds that is named by namespace number and epoch. Where one
 * does not, nothing is sent.
 */
export const nearProve: (
  schema: string,
  nonce: string,
  ids: readonly number[],
  epochs: readonly string[],
) => Statement<{ readonly proven: boolean }> = defineStatement(
  'cache.near-prove',
  (s) => /* sql */ `
    select ${s}.cache_near_prove($1::text, $2::int[], $3::text[]::uuid[]) as proven`,
  (nonce, ids, epochs) => [nonce, ids, epochs],
)
