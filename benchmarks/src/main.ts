import { writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { type Arguments, readArguments, USAGE } from './arguments.js'
import { markdown } from './report/markdown.js'
import { jsonLine, type SuiteResult } from './report/results.js'
import { runSuite } from './run.js'
import { suites } from './suites/index.js'

const args = parse()
const suite = suites.find(({ name }) => name === args.suite)
if (suite !== undefined) {
  // 'exit' handlers stop the servers that were started; the default of a signal would skip them.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1))
  const result = await runSuite(suite, args, (line) => process.stderr.write(`${line}\n`))
  const text = markdown(result)
  if (args.out !== undefined) write(args.out, result, text)
  console.log(text)
  if (args.json) console.log(jsonLine(result))
}

function parse(): Arguments {
  const names = suites.map(({ name }) => name)
  try {
    return readArguments(process.argv.slice(2), names)
  } catch (error) {
    console.error(`${(error as Error).message}\n${USAGE}`)
    process.exit(2)
  }
}

function write(out: string, result: SuiteResult, text: string): void {
  // npm and pnpm run us in another folder than the one the command was typed in.
  const file = resolve(process.env['INIT_CWD'] ?? '.', out)
  writeFileSync(file, `${JSON.stringify(result, null, 2)}\n`)
  writeFileSync(file.replace(/\.json$/, '.md'), text)
}
