/** Pieces of SQL that several functions share. */
import { literal } from '@howdah/core'

/**
 * Attributes of every function: it runs as its caller, finds nothing but what it names, and plans once, for a table of any size.
 * Without the last three the planner may settle on reading a whole table while it is small, and keep to that when it is not.
 */
export const ATTRIBUTES =
  'language plpgsql set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_bitmapscan = off set jit = off'

/** Between payloads and ids of one parameter or result; valid JSON holds none. */
export const SEPARATOR = '\x1e'

/** Draws a job's id, or its place in `queue_ready`. */
export function nextSeq(s: string): string {
  return `nextval(${literal(`${s}.queue_seq`)})`
}

/** Draws the number of a lease, or of a worker. */
export function nextLease(s: string): string {
  return `nextval(${literal(`${s}.queue_lease_seq`)})`
}

/** Ready jobs come in the order of (rank, seq): the higher the priority, the lower its rank. */
export function rankOf(priority: string): string {
  return `(-2 * ${priority})`
}

/** The lane in front of all jobs of the same priority, for jobs that were claimed once already. */
export function frontRank(rank: string): string {
  return `(((${rank} + 1) >> 1 << 1) - 1)`
}

/** The priority of a rank of either lane. */
export function priorityOf(rank: string): string {
  return `(-((${rank} + 1) >> 1))`
}

/** Whether the job `j` stands in `queue_ready`: under its own number in either lane, or under a later one. */
export function isReady(s: string, j: string): string {
  return /* sql */ `(exists (select from ${s}.queue_ready y where y.queue = ${j}.queue and y.rank in (${j}.rank, ${frontRank(`${j}.rank`)}) and y.seq = ${j}.id)
        or exists (select from ${s}.queue_ready y where y.id = ${j}.id and y.id <> y.seq))`
}

/** Makes the claims and ends of a queue with limits happen one at a time. */
export function lockQueue(s: string, queue: string): string {
  return /* sql */ `perform pg_advisory_xact_lock(hashtextextended(${literal(`howdah.queue:${s}`)}, ${queue}))`
}

/** Tells who listens to a queue's events how a job ended, where no worker does. */
export function announce(
  s: string,
  queue: string,
  id: string,
  outcome: string,
  error = 'null',
): string {
  return /* sql */ `perform ${s}.queue_announce(${queue}, ${id}, ${outcome}, ${error})`
}

/** Counts. Each argument is `column: expression`. */
export function tally(s: string, queue: string, changes: Readonly<Record<string, string>>): string {
  return /* sql */ `insert into ${s}.queue_tally (at, queue, ${Object.keys(changes).join(', ')})
    values (statement_timestamp(), ${queue}, ${Object.values(changes).join(', ')})`
}

/** Whether a worker of the queue sleeps. */
export function asleep(s: string, queue: string): string {
  return /* sql */ `exists (select from ${s}.queue_idle i where i.queue = ${queue} and i.until > statement_timestamp())`
}

/** Wakes workers that sleep, once the transaction commits. */
export function tell(s: string, queue: string): string {
  return /* sql */ `perform ${s}.hub_tell('queue', (${queue})::text)`
}

/** The same, where none may sleep: then it sends nothing. */
export function wake(s: string, queue: string): string {
  return /* sql */ `if ${asleep(s, queue)} then ${tell(s, queue)}; end if`
}

/** Refuses a group in a queue that has none, where it would mean nothing. */
export function needsGroups(s: string, queue: string, spec: string): string {
  return /* sql */ `if ${spec} ? 'group' and not exists (select from ${s}.queue q where q.id = ${queue} and q.group_concurrency is not null) then
    raise invalid_parameter_value using message = 'The queue has no groups. Give it the option groups: { concurrency }, or the job no group.';
  end if`
}
