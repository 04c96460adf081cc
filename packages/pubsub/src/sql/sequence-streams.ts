import { defineStatement, type Statement } from '@howdah/core'

/** What a run of the sequencer answers. */
export interface Sequenced {
  readonly outcome: 'done' | 'idle' | 'busy'
  /** Number of the last tick; `null` when busy. */
  readonly tick: string | null
  /** New heads by number of the stream; `null` when there are none. */
  readonly heads: Readonly<Record<string, number>> | null
  readonly isolation: string
}

/** Puts in order what was appended, or waits for its turn to do so. */
export const sequenceStreams: (schema: string, wait: boolean) => Statement<Sequenced> =
  defineStatement(
    'stream.sequence',
    (s) => /* sql */ `
      select r.outcome, r.tick::text as tick, r.heads, r.isolation from ${s}.stream_sequence($1::boolean) r`,
    (wait) => [wait],
  )
