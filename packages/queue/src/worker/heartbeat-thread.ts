/**
 * The heartbeat of this process, in a thread of its own: a handler that keeps the event loop busy for minutes does not lose its jobs.
 *
 * The thread has one connection of its own and runs one statement. Its program is text, because a file would have to be found
 * again by every bundler. Where the thread cannot be had (no `pg` to load, connection options that cannot be copied), `start` answers
 * `undefined` and the main thread's own beats have to do.
 */
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'

/** One beat that was heard: for each living worker the jobs that were cancelled. */
export interface Beat {
  readonly at: number
  readonly asked: readonly string[]
  readonly rows: readonly { readonly worker: string; readonly cancelled: string | null }[]
}

interface ThreadOptions {
  readonly connection: Record<string, unknown>
  readonly statement: string
  readonly onBeat: (beat: Beat) => void
}

const PROGRAM = /* js */ `
const { parentPort, workerData } = require('node:worker_threads')
const { Client } = require(workerData.pg)
let members = []
let every = 1000
let client
let timer
let beating = false
async function connect() {
  const made = new Client({ ...workerData.connection, application_name: 'howdah heartbeat', connectionTimeoutMillis: 5000 })
  made.on('error', () => { if (client === made) client = undefined })
  made.on('end', () => { if (client === made) client = undefined })
  await made.connect()
  client = made
}
async function beat() {
  clearTimeout(timer)
  if (beating) return
  beating = true
  let wait = every
  const asked = members
  const at = Date.now()
  try {
    if (asked.length > 0) {
      if (client === undefined) await connect()
      const query = { text: workerData.statement, values: [asked.map((m) => m.id), asked.map((m) => m.leaseMs)] }
      const deadline = setTimeout(() => client && client.connection.stream.destroy(), Math.max(1000, every * 2))
      try {
        const { rows } = await client.query(query)
        parentPort.postMessage({ at, asked: asked.map((m) => m.id), rows })
      } finally {
        clearTimeout(deadline)
      }
    }
  } catch {
    if (client !== undefined) client.connection.stream.destroy()
    client = undefined
    wait = Math.min(every, 250 + Math.random() * 250)
  }
  beating = false
  if (asked !== members) wait = 0
  timer = setTimeout(beat, wait)
}
parentPort.on('message', (message) => {
  members = message.members
  every = message.every
  void beat()
})
`

/** A running heartbeat thread. */
export class HeartbeatThread {
  readonly #worker: Worker
  /** Whether the thread still runs. */
  running = true

  private constructor(worker: Worker, onBeat: (beat: Beat) => void) {
    this.#worker = worker
    worker.unref()
    worker.on('message', onBeat)
    const over = () => {
      this.running = false
    }
    worker.on('error', over)
    worker.on('exit', over)
  }

  /** Starts the thread; `undefined` where there is no `pg` that it could load. */
  static start({ connection, statement, onBeat }: ThreadOptions): HeartbeatThread | undefined {
    const pg = findPg()
    if (pg === undefined) return undefined
    try {
      const workerData = { pg, connection, statement }
      const worker = new Worker(PROGRAM, { eval: true, workerData, execArgv: [] })
      return new HeartbeatThread(worker, onBeat)
    } catch {
      return undefined
    }
  }

  /** Says for whom to beat, and how often. The first beat comes at once. */
  set(members: readonly { readonly id: string; readonly leaseMs: number }[], every: number): void {
    this.#worker.postMessage({ members, every })
  }

  async stop(): Promise<void> {
    await this.#worker.terminate()
  }
}

/** Looks for `pg` where the application does, which made its pool with it: from its main file, then from where it runs. */
function findPg(): string | undefined {
  const main = process.argv[1]
  for (const from of [...(main === undefined ? [] : [main]), join(process.cwd(), 'package.json')]) {
    try {
      return createRequire(from).resolve('pg')
    } catch {
      // Not there, or no place to look from.
    }
  }
  return undefined
}
