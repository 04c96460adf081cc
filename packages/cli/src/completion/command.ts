import { Argument, Command } from 'commander'
import { candidates } from './candidates.js'
import { SCRIPTS, type Shell } from './scripts.js'

/** The command `howdah completion`, which prints what a shell has to run to complete words of `howdah`. */
export function completionCommand(): Command {
  const shells = Object.keys(SCRIPTS)
  return new Command('completion')
    .description('Print the completion script of a shell.')
    .addArgument(new Argument('<shell>', 'for which').choices(shells))
    .addHelpText(
      'after',
      '\nbash: eval "$(howdah completion bash)"\nzsh:  eval "$(howdah completion zsh)"\nfish: howdah completion fish | source',
    )
    .action((shell: Shell) => {
      process.stdout.write(SCRIPTS[shell])
    })
}

/** What those scripts ask. */
export function completeCommand(program: Command): Command {
  return new Command('complete')
    .description('Answer how the last of these words may go on.')
    .argument('[words...]')
    .action((words: readonly string[]) => {
      process.stdout.write(
        candidates(program, words)
          .map((one) => `${one}\n`)
          .join(''),
      )
    })
}
