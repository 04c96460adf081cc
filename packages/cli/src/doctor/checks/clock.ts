import { type Check, fact } from '../check.js'

/** Below this it may as well be the network. */
const DRIFT_MS = 5_000

export const clock: Check = {
  id: 'clock',
  title: 'Clocks',
  async run({ query }) {
    const before = Date.now()
    const [row] = await query<{ now: number }>(
      `select (extract(epoch from clock_timestamp()) * 1000)::float8 as now`,
    )
    const after = Date.now()
    const drift = Math.round((row?.now ?? 0) - (before + after) / 2)
    if (Math.abs(drift) < DRIFT_MS + (after - before)) {
      return [fact('The clocks of this machine and the server agree.')]
    }
    const which = drift > 0 ? 'ahead of' : 'behind'
    return [
      {
        level: 'warning',
        what: `The clock of the server is ${Math.abs(drift)} ms ${which} that of this machine.`,
        costs:
          "Howdah goes by the server's clock, so that nothing expires at the wrong time; but a Date given as runAt or expiresAt, cookies and logs go by this machine's.",
        mend: 'Have both machines keep time by NTP (chrony, systemd-timesyncd).',
      },
    ]
  },
}
