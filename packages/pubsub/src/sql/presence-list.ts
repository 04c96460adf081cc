import { defineStatement, type Statement } from '@howdah/core'

/** One time an id joined, as it is stored. */
export interface PresenceRow {
  readonly token: string
  readonly version: number
  readonly hub: string
  readonly id: string
  readonly since: number
  /** When its data was last set, in milliseconds since the epoch. */
  readonly at: number
  /** JSON. */
  readonly data: string | null
  /** How the hub is that it belongs to: `'quiet'` may come back, `'dead'` never does. */
  readonly state: 'alive' | 'quiet' | 'dead'
}

/** Reads every row of a topic, also those that count no more. */
export const presenceList: (schema: string, topic: string) => Statement<PresenceRow> =
  defineStatement(
    'presence.list',
    (s) => /* sql */ `
      select m.token, m.version::double precision as version, m.hub, m.id, m.data,
        extract(epoch from m.since)::double precision * 1000 as since,
        extract(epoch from m.changed_at)::double precision * 1000 as at,
        case when a.identity is null then 'dead' when a.quiet then 'quiet' else 'alive' end as state
      from ${s}.presence_member m left join ${s}.hub_alive() a on a.identity = m.hub
      where m.topic = $1::text`,
    (topic) => [topic],
  )
