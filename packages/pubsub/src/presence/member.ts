/** Someone who is present, however many times. It is shared between listeners and must not be changed. */
export interface Member<T = unknown> {
  readonly id: string
  /** What was last said with `join()` or `update()` by any of its memberships that is still there. */
  readonly data: T | undefined
  /** When the oldest of its memberships joined, by the database's clock, in milliseconds since the epoch. */
  readonly since: number
}

/** What a member is made of: one time an id joined. */
export interface Entry {
  readonly token: string
  readonly version: number
  readonly hub: string
  readonly id: string
  readonly since: number
  readonly at: number
  /** JSON. */
  readonly data: string | undefined
}

/** A member with the JSON of its data, to tell whether it changed. */
export interface KnownMember {
  readonly member: Member
  readonly json: string | undefined
}

/** Makes one member of all entries of one id; `undefined` of none. */
export function memberOf(entries: Iterable<Entry>): KnownMember | undefined {
  let latest: Entry | undefined
  let since = Number.POSITIVE_INFINITY
  for (const entry of entries) {
    since = Math.min(since, entry.since)
    if (latest === undefined || isLater(entry, latest)) latest = entry
  }
  if (latest === undefined) return undefined
  const { id, data: json } = latest
  return { member: { id, data: json === undefined ? undefined : JSON.parse(json), since }, json }
}

/** The same rule as that of `presence_members()`, so that all see the same data. */
function isLater(one: Entry, other: Entry): boolean {
  return one.at === other.at ? one.token < other.token : one.at > other.at
}

/** Makes members of entries of any ids, in the order they came. */
export function membersOf(entries: Iterable<Entry>): Member[] {
  const byId = new Map<string, Entry[]>()
  for (const entry of entries) {
    const same = byId.get(entry.id)
    if (same === undefined) byId.set(entry.id, [entry])
    else same.push(entry)
  }
  const members = [...byId.values()].map((same) => memberOf(same) as KnownMember)
  return members.map(({ member }) => member).sort(byArrival)
}

/** The oldest first. */
export function byArrival(one: Member, other: Member): number {
  if (one.since !== other.since) return one.since - other.since
  return one.id < other.id ? -1 : 1
}
