import { parseArgs } from 'node:util'

/** What the command line asks for. */
export interface Arguments {
  readonly suite: string
  readonly quick: boolean
  readonly json: boolean
  readonly rounds: number
  /** How long each contender is measured in a round. */
  readonly roundMs: number
  readonly warmUpMs: number
  /** Measures only the scenarios whose figure holds this. */
  readonly only: string
  /** Where the results go besides the terminal: a JSON file, and a Markdown file beside it. */
  readonly out: string | undefined
}

export const USAGE =
  'Usage: npm run bench -- <suite> [--quick] [--json] [--rounds <3 or more>] [--only <part of a figure>] [--out <file.json>]'

/** Reads the command line; throws an error with one sentence when it cannot. */
export function readArguments(argv: readonly string[], suites: readonly string[]): Arguments {
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      quick: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      rounds: { type: 'string' },
      only: { type: 'string', default: '' },
      out: { type: 'string' },
    },
  })
  const [suite] = positionals
  if (suite === undefined || positionals.length > 1 || !suites.includes(suite)) {
    throw new Error(`Name one suite: ${suites.join(', ')}.`)
  }
  const { quick, json, only, out } = values
  const rounds = values.rounds === undefined ? (quick ? 3 : 7) : Number(values.rounds)
  // A median of fewer says little on a machine with other work.
  if (!Number.isSafeInteger(rounds) || rounds < 3) throw new Error('--rounds must be 3 or more.')
  if (out !== undefined && !out.endsWith('.json')) throw new Error('--out must end in .json.')
  return {
    suite,
    quick,
    json,
    rounds,
    only,
    out,
    roundMs: quick ? 700 : 2000,
    warmUpMs: quick ? 400 : 1000,
  }
}
