import type { Snapshot } from './snapshot.js'

/** What went on between two snapshots, or since the server's statistics began where there is but one. */
export interface Rates {
  /** Look-ups of keys in the cache's tables a second; `null` with one snapshot. What near caches answer is not among them. */
  readonly lookups: number | null
  /** The share of them that found a row; `null` where there were none. */
  readonly hitRate: number | null
  readonly sessionsBegun: number | null
  readonly sessionsSaved: number | null
  readonly sessionsEnded: number | null
}

export function ratesBetween({ activity: now }: Snapshot, before: Snapshot | undefined): Rates {
  const then = before?.activity
  const since = (name: 'lookups' | 'found') => Math.max(0, now[name] - (then?.[name] ?? 0))
  const perSecond = (name: 'lookups' | 'sessionsBegun' | 'sessionsSaved' | 'sessionsEnded') =>
    then === undefined || now.now <= then.now
      ? null
      : (1000 * Math.max(0, now[name] - then[name])) / (now.now - then.now)
  const lookups = since('lookups')
  return {
    lookups: perSecond('lookups'),
    hitRate: lookups === 0 ? null : Math.min(1, since('found') / lookups),
    sessionsBegun: perSecond('sessionsBegun'),
    sessionsSaved: perSecond('sessionsSaved'),
    sessionsEnded: perSecond('sessionsEnded'),
  }
}
