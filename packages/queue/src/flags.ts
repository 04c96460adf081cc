/**
 * What is special about a job, as bits that stand beside it wherever it waits: a claim of jobs without any looks at nothing else.
 */
export const FLAG = {
  /** It may not start after `expires_at`. */
  expires: 1,
  /** It holds a key. */
  key: 2,
  /** It belongs to a group. */
  group: 4,
  /** A parent waits for it. */
  child: 8,
  /** A worker crashed while it ran: it shares no batch. */
  apart: 16,
  /** Workers crashed more than once: it runs while nothing else does in its worker. */
  exclusive: 32,
  /** It holds one of the places of its group. */
  counted: 64,
  /** It has waited for children. */
  parent: 128,
  /** A schedule added it, and keeps its history. */
  scheduled: 256,
} as const

/** Jobs whose end has consequences for others. */
export const CONSEQUENCES: number = FLAG.key | FLAG.group | FLAG.child | FLAG.scheduled

/** Jobs that a claim has to look at one by one. */
export const SPECIAL: number = FLAG.expires | FLAG.group | FLAG.exclusive
