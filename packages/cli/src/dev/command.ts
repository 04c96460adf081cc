/**
 * `howdah dev`: a PostgreSQL for as long as the command runs.
 *
 * States: starting -> serving -> ending. A signal in any of them leads to the end; the server never outlives the command, for testkit's watchdog
 * ends it where the command cannot.
 */
import { resolve } from 'node:path'
import { Command, InvalidArgumentError } from 'commander'
import pg from 'pg'
import { tone } from '../colour.js'
import { cliError } from '../errors.js'
import { needed } from '../installed.js'
import { show } from '../output.js'
import { type EndSignal, untilSignal } from '../signals.js'
import { isFree, type Kept, keep, readKept } from './kept.js'

interface DevOptions {
  readonly data?: string
  readonly major?: 15 | 16 | 17 | 18
  readonly port?: number
  readonly json?: boolean
}

/** How often to see whether the server is still there. */
const LOOK_MS = 500

/** The command `howdah dev`. */
export function devCommand(): Command {
  return new Command('dev')
    .description('Run a PostgreSQL of your own until Ctrl-C, and print its URL.')
    .option('--data <folder>', 'keep the data, and the URL, for the next time')
    .option('--major <version>', 'version of PostgreSQL, 15 to 18', whole)
    .option('--port <number>', 'port to serve on; one that is free where it is not given', whole)
    .option('--json', 'print one line of JSON')
    .action(dev)
}

async function dev({ data, major, port, json }: DevOptions): Promise<void> {
  const { startPostgres } = await needed('testkit')
  const signal = untilSignal()
  try {
    const folder = data === undefined ? undefined : resolve(data)
    const before = folder === undefined ? undefined : readKept(folder)
    const same = before !== undefined && (await isFree(before.port)) ? before.port : undefined
    // What is kept is worth its fsync; so is finding out how fast the real thing is.
    const server = await startPostgres({
      durable: true,
      dataDir: folder,
      major,
      port: port ?? same,
    })
    try {
      const url = folder === undefined ? server.url : await settle(folder, server.url, before)
      show(json, { url, major: server.major, data: folder ?? null }, () => `DATABASE_URL=${url}\n`)
      if (json !== true) process.stderr.write(tone('quiet', advice(server.major, folder)))
      await serving(server, signal)
    } finally {
      await server.close()
    }
  } finally {
    signal.ignore()
  }
}

/** Gives the superuser the password it had the last time, so that the URL stays what it was. */
async function settle(folder: string, url: string, before: Kept | undefined): Promise<string> {
  const { password, port } = new URL(url)
  const kept = { port: Number(port), password: before?.password ?? password }
  if (kept.password !== password) {
    const client = new pg.Client({ connectionString: url })
    await client.connect()
    try {
      await client.query(`alter role postgres password ${client.escapeLiteral(kept.password)}`)
    } finally {
      await client.end()
    }
  }
  keep(folder, kept)
  const settled = new URL(url)
  settled.password = kept.password
  return settled.href
}

function advice(major: number, folder: string | undefined): string {
  const where = folder === undefined ? 'Its data goes when it ends.' : `Its data is in ${folder}.`
  return `PostgreSQL ${major} runs until Ctrl-C. ${where}\n`
}

/** Waits for a signal, or for the server to end by itself. */
async function serving(
  server: { readonly running: boolean; log(): string },
  signal: EndSignal,
): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const gone = new Promise<never>((_, reject) => {
    timer = setInterval(() => {
      if (!server.running) {
        reject(cliError('CLI_SERVER_ENDED', `The server has ended by itself.\n${server.log()}`))
      }
    }, LOOK_MS)
  })
  try {
    await Promise.race([signal.came, gone])
  } finally {
    clearInterval(timer)
  }
}

function whole(text: string): number {
  if (!/^\d{1,5}$/.test(text)) throw new InvalidArgumentError('It must be a whole number.')
  return Number(text)
}
