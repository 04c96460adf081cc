import { type Check, fact } from '../check.js'

const OLDEST = 15
const NEWEST = 18

export const serverVersion: Check = {
  id: 'server-version',
  title: 'Version of the server',
  async run({ server }) {
    const major = Math.floor(server.version / 10_000)
    const facts = fact(`PostgreSQL ${server.versionText}.`)
    if (major < OLDEST) {
      return [
        {
          level: 'error',
          what: `This is PostgreSQL ${server.versionText}, and Howdah works with ${OLDEST} to ${NEWEST}.`,
          costs: 'Migrations fail, or statements do that use what this version lacks.',
          mend: `Upgrade the server to PostgreSQL ${OLDEST} or newer.`,
        },
      ]
    }
    if (major <= NEWEST) return [facts]
    return [
      {
        level: 'warning',
        what: `This is PostgreSQL ${server.versionText}, and this release of Howdah was tested with ${OLDEST} to ${NEWEST}.`,
        costs: 'Plans and internals may have changed; nobody has looked.',
        mend: 'Upgrade the Howdah packages to a release that names this version.',
      },
    ]
  },
}
