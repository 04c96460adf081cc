/** The driver `pg_cron`: the extension calls the SQL that fires a schedule, with no process of ours alive. */
import type { Database, Transaction } from '@howdah/core'
import { queueError } from '../errors.js'
import { invalid } from '../options.js'
import { pgCronState, pgCronUnschedule, scheduleInPgCron } from '../sql/pg-cron.js'
import type { When } from './when.js'

const NO_MORE_THAN_S = 59

/** @throws {@link HowdahError} QUEUE_EXTENSION_MISSING, QUEUE_INVALID_OPTION */
export async function registerInPgCron(
  db: Database,
  tx: Transaction,
  schedule: string,
  { cron, everyMs, timezone }: When,
): Promise<void> {
  const [state] = await db.query(pgCronState(db.schema), tx)
  if (state?.installed !== true) {
    throw queueError(
      'QUEUE_EXTENSION_MISSING',
      'This database has no extension pg_cron. Create it (it must be in shared_preload_libraries), or use the driver howdah.',
    )
  }
  const theirs = state.timezone ?? 'GMT'
  if (cron !== null && !sameZone(timezone, theirs)) {
    throw invalid(
      `pg_cron of this server runs crons in ${theirs}: give that as timezone, or use the driver howdah.`,
    )
  }
  await db.query(scheduleInPgCron(db.schema, schedule, timeOf(cron, everyMs)), tx)
}

export async function unregisterFromPgCron(
  db: Database,
  tx: Transaction,
  schedule: string,
): Promise<void> {
  await db.query(pgCronUnschedule(db.schema, schedule), tx)
}

/** What pg_cron takes: five fields, or a number of seconds. */
function timeOf(cron: string | null, everyMs: number | null): string {
  if (everyMs !== null) {
    const seconds = everyMs / 1000
    if (Number.isInteger(seconds) && seconds <= NO_MORE_THAN_S) return `${seconds} seconds`
    throw invalid(
      `With pg_cron, every must be whole seconds, at most ${NO_MORE_THAN_S}: give a cron for more.`,
    )
  }
  const fields = NICKNAMES[cron as string] ?? (cron as string)
  if (/^[\d*,/\- ]+$/.test(fields) && fields.trim().split(/ +/).length === 5) return fields
  throw invalid(
    'With pg_cron, a cron must have five fields of numbers, lists, ranges and steps, or be @hourly and such.',
  )
}

const NICKNAMES: Readonly<Record<string, string>> = {
  '@hourly': '0 * * * *',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@weekly': '0 0 * * 0',
  '@monthly': '0 0 1 * *',
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
}

const UTC = ['UTC', 'GMT', 'Etc/UTC', 'Etc/GMT', 'Etc/UCT', 'Zulu']

function sameZone(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase() || (UTC.includes(a) && UTC.includes(b))
}
