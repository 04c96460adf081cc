/** What the servers of this folder have in common: a pool, requests that wait, and their life. */
import { Pool } from 'pg'

export const pool = new Pool({ connectionString: process.env['TEST_DATABASE_URL'], max: 4 })
// The database is restarted under these servers.
pool.on('error', () => {})

/** Requests that wait, having loaded their session, until /release is asked for. */
let waiting: (() => void)[] = []

export async function waitIfAsked(wait: unknown): Promise<void> {
  if (wait === undefined) return
  await new Promise<void>((resolve) => {
    waiting.push(resolve)
    process.stdout.write('waiting\n')
  })
}

export function release(): void {
  for (const go of waiting) go()
  waiting = []
}

/** What /me says of a session: whose it is, what it holds, and whether its keys reached any prototype. */
export function describeSession(session: Record<string, unknown>): Record<string, unknown> {
  return {
    user: session['user'] ?? null,
    keys: Object.keys(JSON.parse(JSON.stringify(session))).sort(),
    polluted: 'admin' in session || 'admin' in {},
  }
}

/** Tells the test where to ask, and stops when the test goes. */
export function started(port: number, stop: () => Promise<void> | void): void {
  process.stdout.write(`port ${port}\n`)
  process.stdin.resume()
  process.stdin.on('end', async () => {
    await stop()
    await pool.end()
  })
}
