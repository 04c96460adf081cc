import { type Check, fact } from '../check.js'

/** Notifications are read within moments, so that any share of the queue (8 GB by default) says that somebody does not read. */
const WARNING = 0.01
const ERROR = 0.5

export const notificationQueue: Check = {
  id: 'notification-queue',
  title: 'Notification queue',
  async run({ query }) {
    const [row] = await query<{ usage: number; holders: readonly string[] }>(/* sql */ `
      select pg_notification_queue_usage() as usage, to_jsonb(array(
        select format('session %s (%s, for %s s)', a.pid, concat_ws(', ', a.datname, a.usename, nullif(a.application_name, ''), a.state),
          round(extract(epoch from clock_timestamp() - a.xact_start)))
        from pg_stat_activity a where a.xact_start is not null and a.pid <> pg_backend_pid() and a.backend_type = 'client backend'
        order by a.xact_start limit 3)) as holders`)
    const { usage = 0, holders = [] } = row ?? {}
    const share = `${(usage * 100).toFixed(usage < 0.1 ? 1 : 0)} %`
    if (usage < WARNING) return [fact(`The notification queue is ${share} full.`)]
    const suspects =
      holders.length === 0 ? '' : ` The oldest transactions of the server: ${holders.join('; ')}.`
    return [
      {
        level: usage < ERROR ? 'warning' : 'error',
        what: `The notification queue is ${share} full: a session that has said LISTEN sits in a transaction.${suspects}`,
        costs: 'When it is full, every commit that notifies fails, in all databases of the server.',
        mend: 'End that session with pg_terminate_backend(), and set idle_in_transaction_session_timeout.',
      },
    ]
  },
}
