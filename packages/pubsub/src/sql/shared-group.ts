import { defineStatement, type Statement } from '@howdah/core'

/** A message as it was given out. */
export type GivenMessage = readonly [
  off: number,
  lease: number,
  attempts: number,
  key: string | null,
  headers: Readonly<Record<string, string>> | null,
  at: number,
]

/** What taking from a shared group answers. */
export interface Taken {
  readonly given: readonly GivenMessage[] | null
  readonly payloads: string | null
  /** Milliseconds until a message comes again; `null` when none does. */
  readonly due: number | null
  readonly lost: string
  /** Set after a reset. */
  readonly valid: string | null
  readonly epoch: number
}

/** Takes messages. */
export const takeShared: (
  schema: string,
  group: number,
  owner: string,
  limit: number,
  leaseMs: number,
  maxAttempts: number,
) => Statement<Taken> = defineStatement(
  'stream.take-shared',
  (s) => /* sql */ `
    select r.given, r.payloads, r.due_ms as due, r.lost::text as lost, r.valid::text as valid, r.epoch
    from ${s}.stream_shared_take($1::integer, $2::text, $3::integer, $4::float8, $5::integer) r`,
  (group, owner, limit, leaseMs, maxAttempts) => [group, owner, limit, leaseMs, maxAttempts],
)

/** How one message ends. */
export interface SharedEnd {
  readonly off: number
  readonly lease: number
  /** `null` when it is done; -1 to keep it; else milliseconds until it comes again. */
  readonly delay: number | null
  readonly error: string | null
}

/** Ends messages; answers the offsets that were no longer ours. */
export const settleShared: (
  schema: string,
  group: number,
  ends: readonly SharedEnd[],
  leaseMs: number,
) => Statement<{ lost: readonly number[] }> = defineStatement(
  'stream.settle-shared',
  (s) => /* sql */ `
    select ${s}.stream_shared_settle(
      $1::integer, $2::text[]::bigint[], $3::text[]::bigint[], $4::float8[], $5::text[], $6::float8) as lost`,
  (group, ends, leaseMs) => [
    group,
    ends.map(({ off }) => String(off)),
    ends.map(({ lease }) => String(lease)),
    ends.map(({ delay }) => delay),
    ends.map(({ error }) => error),
    leaseMs,
  ],
)
