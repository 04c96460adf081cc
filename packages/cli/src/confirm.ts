import { createInterface } from 'node:readline/promises'
import { Option } from 'commander'
import { cliError } from './errors.js'
import { plain } from './output.js'

/** The option that answers the question beforehand. */
export function yes(): Option {
  return new Option('--yes', 'do not ask')
}

/**
 * Asks a question that only "y" or "yes" answers well.
 *
 * @throws {@link HowdahError} CLI_NOT_CONFIRMED when the answer is another, or nobody is there to answer
 */
export async function confirm(question: string): Promise<void> {
  if (!process.stdin.isTTY) {
    throw cliError(
      'CLI_NOT_CONFIRMED',
      'Nothing was changed. Pass --yes where nobody can be asked.',
    )
  }
  // Asked on the standard error, for the standard output may be read by a program.
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  try {
    const safe = question.split('\n').map(plain).join('\n')
    const answer = await terminal.question(`${safe} [y/N] `)
    if (!/^y(es)?$/i.test(answer.trim()))
      throw cliError('CLI_NOT_CONFIRMED', 'Nothing was changed.')
  } finally {
    terminal.close()
  }
}
