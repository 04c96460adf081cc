import { createHash } from 'node:crypto'

/**
 * The physical channel of one schema. `NOTIFY` reaches every listener of the database, so two schemas must not share one, and a
 * channel is cut at 63 bytes, so the schema's name itself would not always fit.
 */
export function channelOf(schema: string): string {
  return `howdah_${createHash('sha256').update(schema).digest('hex').slice(0, 24)}`
}
