import type { MigrationStatus } from '@howdah/core'
import { type Check, type Finding, fact } from '../check.js'
import type { DoctorContext } from '../context.js'

export const schemaVersions: Check = {
  id: 'schema-versions',
  title: 'Versions of the tables',
  async run(context) {
    const statuses = await context.statuses()
    return statuses.map((status) => judge(status, context))
  },
}

function judge(status: MigrationStatus, { schema, db }: DoctorContext): Finding {
  const { package: owner, state, current, latest } = status
  const at = `@howdah/${owner}: version ${current} in schema ${db.schema}, and this release knows ${latest}.`
  const option = /^[\w-]+$/.test(schema) ? schema : JSON.stringify(schema)
  switch (state) {
    case 'current':
    case 'newer':
      return fact(at)
    case 'pending':
      return {
        level: 'warning',
        what: `Migrations of ${at.slice(0, -1)} are missing.`,
        costs:
          "With migrate: 'manual' the package refuses to work; else the first process that uses it applies them, if its role may.",
        mend: `npx @howdah/cli migrate up ${owner} --schema ${option}`,
      }
    case 'too-new':
      return {
        level: 'error',
        what: at,
        costs: 'The package refuses to work with tables that are ahead of it.',
        mend: `Install a newer @howdah/${owner}.`,
      }
    case 'changed':
      return {
        level: 'error',
        what: `${at} A migration that was applied differs from the one in this release.`,
        costs: 'The package refuses to work, for nobody knows what the tables look like.',
        mend: `Install the release of @howdah/${owner} that the tables were made with, and upgrade from there.`,
      }
  }
}
