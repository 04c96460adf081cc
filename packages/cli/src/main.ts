import { Command, CommanderError } from 'commander'
import { cacheCommand } from './cache/command.js'
import { completeCommand, completionCommand } from './completion/command.js'
import { devCommand } from './dev/command.js'
import { doctorCommand } from './doctor/command.js'
import { describeError } from './errors.js'
import { Exit } from './exit.js'
import { migrateCommand } from './migrate.js'
import { plain } from './output.js'
import { queueCommand } from './queue/command.js'
import { scheduleCommand } from './schedule/command.js'
import { sessionCommand } from './session/command.js'
import { streamCommand } from './stream/command.js'
import { topCommand } from './top/command.js'

/**
 * Runs the `howdah` command and answers its exit code: 0, 1 when something was refused or failed, or 2 when `doctor` found a fault. Output goes to the standard
 * output, messages to the standard error; with `--json`, errors are JSON on the standard output too.
 *
 * @example
 * ```ts
 * import { main } from '@howdah/cli'
 *
 * process.exitCode = await main(['migrate', 'status', '--json'])
 * ```
 */
export async function main(args: readonly string[]): Promise<number> {
  const program = new Command('howdah')
    .description('Cares for what the Howdah packages keep in PostgreSQL.')
    .addCommand(devCommand())
    .addCommand(migrateCommand())
    .addCommand(doctorCommand())
    .addCommand(topCommand())
    .addCommand(queueCommand())
    .addCommand(scheduleCommand())
    .addCommand(cacheCommand())
    .addCommand(streamCommand())
    .addCommand(sessionCommand())
    .addCommand(completionCommand())
  program.addCommand(completeCommand(program), { hidden: true })
  exitByThrowing(program)
  try {
    await program.parseAsync(args, { from: 'user' })
    return 0
  } catch (error) {
    // Commander has printed its message, or the help that was asked for.
    if (error instanceof CommanderError) return error.exitCode
    if (error instanceof Exit) return error.code
    const { code, message } = describeError(error)
    if (args.includes('--json')) {
      process.stdout.write(`${JSON.stringify({ error: { code, message } })}\n`)
    } else {
      const safe = message.split('\n').map(plain).join('\n')
      process.stderr.write(code === undefined ? `${safe}\n` : `${code}: ${safe}\n`)
    }
    return 1
  }
}

/** Subcommands made apart do not inherit how their parent exits. */
function exitByThrowing(command: Command): void {
  command.exitOverride()
  for (const one of command.commands) exitByThrowing(one)
}
