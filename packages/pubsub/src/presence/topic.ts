import { createHash } from 'node:crypto'

/** Kind of the messages that tell of members; their name is the topic. */
export const PRESENCE_KIND = 'presence'

/** Stands for a presence's name where only so many bytes are allowed. The SQL function `presence_members` computes the same. */
export function topicOf(name: string): string {
  return createHash('sha256').update(name).digest('hex').slice(0, 32)
}
