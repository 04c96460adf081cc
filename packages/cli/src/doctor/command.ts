import { type Duration, parseDuration } from '@howdah/core'
import { Argument, Command } from 'commander'
import { type CommonOptions, checkUrl, common, withDatabase } from '../connection.js'
import { Exit } from '../exit.js'
import { show } from '../output.js'
import { CHECKS } from './checks.js'
import { openContext } from './context.js'
import { reportText, tally } from './report.js'
import { runChecks } from './run-checks.js'

interface DoctorOptions extends CommonOptions {
  readonly listen?: string
  readonly long: string
  readonly strict?: boolean
}

/** Longer than any statement of a check may take on the server. */
const ANSWER_MS = 90_000

/** Exit code when something was found; 1 says that nothing could be looked at. */
const FOUND = 2

/** The command `howdah doctor`. */
export function doctorCommand(): Command {
  return common(new Command('doctor'))
    .description('Look for what is wrong with the server, the schema and the way there.')
    .addArgument(new Argument('[checks...]', 'only these').choices(CHECKS.map(({ id }) => id)))
    .option(
      '--listen <postgres://...>',
      'where applications listen, past a pooler; DIRECT_URL where it is not given',
    )
    .option('--long <duration>', 'how old a transaction may grow', '5m')
    .option('--strict', `end with ${FOUND} for warnings too`)
    .action(doctor)
}

async function doctor(names: readonly string[], options: DoctorOptions): Promise<void> {
  const { schema, json, strict = false } = options
  const chosen = names.length === 0 ? CHECKS : CHECKS.filter(({ id }) => names.includes(id))
  const longMs = parseDuration(options.long as Duration, '--long')
  const listen = options.listen ?? (process.env['DIRECT_URL'] || undefined)
  const reports = await withDatabase(
    options,
    async (db, pool) => {
      const direct = listen !== undefined
      return runChecks(chosen, await openContext(db, pool, { schema, direct, longMs }))
    },
    { max: 4, listen: listen === undefined ? undefined : checkUrl(listen), answerMs: ANSWER_MS },
  )
  const { errors, warnings } = tally(reports)
  show(json, { schema, errors, warnings, checks: reports }, () => reportText(reports))
  if (errors > 0 || (strict && warnings > 0)) throw new Exit(FOUND)
}
