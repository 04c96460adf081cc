import { main } from '@howdah/cli'
import { fill, looks } from '../../../packages/cli/test/full-tables.js'
import type { Context, Measure, Suite } from '../suite.js'

const ROWS = 1_000_000
/** Of so many calls the fastest counts: the others tell what else the machine does. */
const CALLS = 5

/** How long each look of the command takes, on tables with a million jobs, cache entries, messages and sessions. It compares with nobody. */
export const cli: Suite = {
  name: 'cli',
  async setup() {
    return []
  },
  async measures(context) {
    const pool = context.pool({ max: 1 })
    process.env['DATABASE_URL'] = context.databaseUrl
    const code = await quietly(['migrate', 'up'])
    if (code !== 0) throw new Error('The tables could not be made.')
    for (const statement of fill(context.quick ? ROWS / 100 : ROWS)) await pool.query(statement)
    return looks.map(([name, args]) => looking(context, name, args))
  },
}

function looking(context: Context, name: string, args: readonly string[]): Measure {
  const rows = context.quick ? ROWS / 100 : ROWS
  return {
    figure: name.replaceAll(/[^a-z]+/g, '_'),
    title: `\`howdah ${args.join(' ')}\` with ${rows} of each, with connecting; the fastest of ${CALLS} calls`,
    unit: 'ms',
    async run() {
      let fastest = Number.POSITIVE_INFINITY
      for (let n = 0; n < CALLS; n++) {
        const began = performance.now()
        const code = await quietly([...args, '--json'])
        if (code !== 0) throw new Error(`howdah ${args.join(' ')} ended with ${code}.`)
        fastest = Math.min(fastest, performance.now() - began)
      }
      return fastest
    },
  }
}

/** Runs the command and keeps what it says to itself. */
async function quietly(args: readonly string[]): Promise<number> {
  const write = process.stdout.write
  process.stdout.write = () => true
  try {
    return await main(args)
  } finally {
    process.stdout.write = write
  }
}
