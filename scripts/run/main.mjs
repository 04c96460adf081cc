import { build } from './build.mjs'
import { check, packed } from './check.mjs'
import { bench, demo, tryOut } from './commands.mjs'
import { CommandError } from './errors.mjs'
import { install } from './install.mjs'
import { interruption } from './interruption.mjs'
import { test } from './test.mjs'

/** @type {Record<string, { summary: string, run: (args: string[]) => Promise<number> }>} */
const commands = {
  demo: { summary: 'run the example application (--smoke drives it and exits)', run: demo },
  try: { summary: 'run a TypeScript file against a throwaway PostgreSQL', run: tryOut },
  test: { summary: 'run the tests; arguments go to vitest', run: test },
  bench: { summary: 'run a benchmark: bench <suite> [--quick] [--json]', run: bench },
  build: { summary: 'build every package whose sources changed', run: buildOnly },
  packed: { summary: 'check the packages as they would be published', run: packed },
  check: { summary: 'run every gate of CI; name some to run only those', run: check },
}

/**
 * Runs one command and ends the process with its exit code.
 *
 * Nothing else in scripts/run calls `process.exit`: an interruption unwinds through `finally` blocks,
 * so locks, temporary folders and children are gone by the time this returns.
 *
 * @param {string[]} argv
 */
export async function main(argv) {
  const [name = '', ...rest] = argv
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined
  if (command === undefined) {
    process.stderr.write(usage())
    process.exit(name === '' || name === '--help' ? 0 : 1)
  }
  interruption.listen()
  const args = rest[0] === '--' ? rest.slice(1) : rest
  let code = 1
  try {
    code = await command.run(args)
  } catch (error) {
    if (interruption.signal === undefined) {
      const known = error instanceof CommandError
      process.stderr.write(`${known ? error.message : (error?.stack ?? error)}\n`)
    }
  }
  process.exit(interruption.exitCode ?? code)
}

async function buildOnly() {
  await install()
  await build()
  return 0
}

function usage() {
  const lines = Object.entries(commands).map(
    ([name, { summary }]) => `  ${name.padEnd(8)}${summary}`,
  )
  return `Usage: node scripts/run.mjs <command> [arguments]\n\n${lines.join('\n')}\n`
}
