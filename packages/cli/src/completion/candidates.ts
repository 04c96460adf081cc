import type { Argument, Command, Option } from 'commander'

/** Answers how the last of the words after `howdah` may go on; the last is empty where a new one begins. */
export function candidates(program: Command, words: readonly string[]): string[] {
  const typed = words.slice(0, -1)
  const last = words.at(-1) ?? ''
  const { command, operands } = walk(program, typed)
  const option = command.options.find((one) => takesValue(one) && one.long === typed.at(-1))
  const offered = option === undefined ? offers(command, operands, last) : (option.argChoices ?? [])
  return offered.filter((one) => one.startsWith(last))
}

/** The command that the words lead to, and how many of them are its arguments. */
function walk(program: Command, typed: readonly string[]): { command: Command; operands: number } {
  let command = program
  let operands = 0
  for (let at = 0; at < typed.length; at++) {
    const word = typed[at] ?? ''
    if (word.startsWith('-')) {
      const option = command.options.find((one) => one.long === word)
      if (option !== undefined && takesValue(option)) at++
      continue
    }
    const next = operands === 0 ? command.commands.find((one) => one.name() === word) : undefined
    if (next === undefined) operands++
    else command = next
  }
  return { command, operands }
}

function offers(command: Command, operands: number, last: string): readonly string[] {
  if (last.startsWith('-')) {
    return command.options.map(({ long }) => long).filter((long) => typeof long === 'string')
  }
  if (operands === 0 && command.commands.length > 0) {
    return command
      .createHelp()
      .visibleCommands(command)
      .map((one) => one.name())
      .filter((name) => name !== 'help')
  }
  const all: readonly Argument[] = command.registeredArguments
  const argument = all[operands] ?? (all.at(-1)?.variadic === true ? all.at(-1) : undefined)
  return argument?.argChoices ?? []
}

function takesValue({ required, optional }: Option): boolean {
  return required || optional
}
