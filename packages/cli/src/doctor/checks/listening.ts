import type { Database } from '@howdah/core'
import { describeError } from '../../errors.js'
import { type Check, type Finding, fact } from '../check.js'

/** The hub takes three seconds for its self-test, and ten for a connection. */
const WAIT_MS = 15_000

export const listening: Check = {
  id: 'listening',
  title: 'Notifications',
  async run({ db, direct, server }) {
    if (server.standby) {
      return [fact('A standby cannot send notifications; the hub of a process here would poll.')]
    }
    const { state, reason } = await tryHub(db)
    if (state === 'listening') {
      return [
        fact(
          direct
            ? 'Notifications arrive on a connection to the direct URL.'
            : 'Notifications arrive.',
        ),
      ]
    }
    if (state === 'polling') return [polling(reason ?? 'nobody knows why', direct)]
    return [
      {
        level: 'error',
        what: `No connection for notifications was to be had: ${reason ?? 'nothing answered in time'}.`,
        costs:
          'Workers, subscriptions and near caches hear of nothing, and look for themselves at long intervals.',
        mend: direct
          ? 'Check the URL given with --listen or DIRECT_URL.'
          : 'Check that the server has connections left (max_connections), one for each process.',
      },
    ]
  },
}

function polling(reason: string, direct: boolean): Finding {
  return {
    level: 'warning',
    what: `Messages are polled for: ${reason}.`,
    costs:
      'They come up to a quarter of a second later, and every sender writes them to a table for as long as any process polls.',
    mend: direct
      ? 'Give --listen (and the option listen) a URL of the same server and database that leads through no pooler.'
      : 'Give each Database a direct URL: Database.from(pool, { listen: process.env.DIRECT_URL }), and the doctor the same with --listen.',
  }
}

/** Has the hub connect as it would in an application, and answers where that ended. */
async function tryHub({ hub }: Database): Promise<{ state: string; reason: string | undefined }> {
  let timer: NodeJS.Timeout | undefined
  const settled = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, WAIT_MS)
    hub.on('state', (state) => {
      if (state === 'listening' || state === 'polling') resolve()
    })
  })
  // Polling without its tables goes on trying for ever, and its first attempt is all there is to learn.
  const registered = hub.register('doctor', { onMessage() {}, onGap() {} }).catch(() => undefined)
  await settled
  clearTimeout(timer)
  const { state, pollingBecause, lastError } = hub.stats()
  const reason =
    pollingBecause ?? (lastError === undefined ? undefined : describeError(lastError).message)
  // Not waited for: where it is still trying, closing the database ends it.
  void registered.then((unregister) => unregister?.())
  return { state, reason }
}
