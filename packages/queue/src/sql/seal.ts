import { defineStatement, type Statement } from '@howdah/core'

/** What is to be proven empty: the ranks up to `head`, once nothing below `horizon` runs. */
export interface Seal {
  readonly queue: number
  readonly ranks: readonly number[]
  readonly seqs: readonly string[]
  readonly due: string
  readonly horizon: string
  readonly head: string
  readonly dueHead: string
}

export interface Sealed {
  readonly epoch: string
  readonly sealed: boolean
  /** New places for the ranks, divided by commas. */
  readonly seqs: string | null
  readonly due: string | null
  readonly horizon: string | null
  readonly head: string | null
  readonly dueHead: string | null
}

/** Moves the places up to which ranks are known to be empty for good. */
export const seal: (schema: string, of: Seal) => Statement<Sealed> = defineStatement(
  'queue.seal',
  (s) => /* sql */ `
    select epoch, sealed, seqs, due, horizon, head, due_head as "dueHead"
    from ${s}.queue_seal($1::int, $2::int[], $3::bigint[], $4::timestamptz, $5::xid8, $6::bigint, $7::timestamptz)`,
  (of) => [of.queue, of.ranks, of.seqs, of.due, of.horizon, of.head, of.dueHead],
)
