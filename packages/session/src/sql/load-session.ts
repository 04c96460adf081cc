import { defineStatement, type Statement } from '@howdah/core'

/** A live session as the database holds it. */
export interface SessionRow {
  readonly data: string
  /** Milliseconds since the epoch, by the database's clock. */
  readonly expires_at: number
  /** Whether the session was extended since its data was written. */
  readonly touched: boolean
}

/** Reads one live session; `idHash` in hex. */
export const loadSession: (schema: string, idHash: string) => Statement<SessionRow> =
  defineStatement(
    'session.load',
    (s) => /* sql */ `
      select data, touched, extract(epoch from expires_at)::double precision * 1000 as expires_at
      from ${s}.session
      where id_hash = decode($1::text, 'hex') and data is not null and expires_at > clock_timestamp()`,
    (idHash) => [idHash],
  )
