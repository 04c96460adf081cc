import { type MigrationSet, migrationSql } from '@howdah/core'
import { Command, InvalidArgumentError } from 'commander'
import { confirm } from './confirm.js'
import { type CommonOptions, type ConnectionOptions, common, withDatabase } from './connection.js'
import { cliError } from './errors.js'
import { installedMigrations } from './installed.js'
import { show, statusTable, stepList } from './output.js'

interface UpOptions extends CommonOptions {
  readonly dryRun?: boolean
}
interface DownOptions extends CommonOptions {
  readonly to: number
  readonly yes?: boolean
}
interface PrintOptions extends CommonOptions {
  readonly down?: boolean
  readonly current?: boolean
}

/** The command `howdah migrate` with all it can do. */
export function migrateCommand(): Command {
  const migrate = new Command('migrate').description('Migrates the tables of the packages.')
  common(migrate.command('up [packages...]'))
    .description('Apply what is missing.')
    .option('--dry-run', 'show what is missing and apply nothing')
    .action(up)
  common(migrate.command('down <package>'))
    .description('Take steps of a package back, with the data they hold.')
    .requiredOption('--to <version>', 'version to end at; 0 takes everything back', version)
    .option('--yes', 'do not ask')
    .action(down)
  common(migrate.command('status [packages...]'))
    .description('Show which steps are applied.')
    .action(status)
  common(migrate.command('print [packages...]'))
    .description('Print the SQL as one script, to review or to run with psql.')
    .option('--down', 'print what takes every step back')
    .option('--current', 'start from the versions in the database, which is read for it')
    .action(print)
  return migrate
}

async function up(names: readonly string[], options: UpOptions): Promise<void> {
  const { schema, json, dryRun = false } = options
  const sets = await choose(names)
  const steps = await withDatabase(options, ({ migrator }) => migrator.up(sets, { dryRun }))
  const heading = dryRun ? 'To be applied' : 'Applied'
  show(json, { schema, dryRun, steps }, () =>
    stepList(heading, steps, `Schema ${schema} is up to date.`),
  )
}

async function down(name: string, options: DownOptions): Promise<void> {
  const { schema, json, to, yes = false } = options
  const [set] = await choose([name])
  const steps = await withDatabase(options, async ({ migrator }) => {
    const planned = await migrator.down(set as MigrationSet, { to, dryRun: true })
    if (planned.length === 0) return []
    if (!yes) {
      await confirm(
        `${stepList('To be taken back, with all data they hold', planned, '')}In schema ${schema}. Go on?`,
      )
    }
    return migrator.down(set as MigrationSet, { to })
  })
  show(json, { schema, steps }, () =>
    stepList('Taken back', steps, `'${name}' is at version ${to} or below.`),
  )
}

async function status(names: readonly string[], options: CommonOptions): Promise<void> {
  const sets = await choose(names)
  const packages = await withDatabase(options, ({ migrator }) => migrator.status(sets))
  show(options.json, { schema: options.schema, packages }, () => statusTable(packages))
}

async function print(names: readonly string[], options: PrintOptions): Promise<void> {
  const { schema, json, down: back = false } = options
  const sets = await choose(names)
  const sql = migrationSql(sets, {
    schema,
    direction: back ? 'down' : 'up',
    current: options.current === true ? await versions(sets, options) : undefined,
  })
  show(json, { schema, sql }, () => sql)
}

async function versions(sets: readonly MigrationSet[], options: ConnectionOptions) {
  const packages = await withDatabase(options, ({ migrator }) => migrator.status(sets))
  return Object.fromEntries(packages.map(({ package: name, current }) => [name, current]))
}

/** The installed migrations of the packages named, or all. */
async function choose(names: readonly string[]): Promise<readonly MigrationSet[]> {
  const sets = await installedMigrations()
  const short = names.map((name) => name.replace(/^@howdah\//, ''))
  const unknown = short.find((name) => !sets.some((set) => set.package === name))
  if (unknown !== undefined) {
    throw cliError(
      'CLI_UNKNOWN_PACKAGE',
      `No installed package keeps tables under the name '${unknown}'. There are: ${sets.map((set) => set.package).join(', ')}.`,
    )
  }
  return short.length === 0 ? sets : sets.filter((set) => short.includes(set.package))
}

function version(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('It must be a whole number.')
  return Number(text)
}
