/**
 * Runs the referral board, on the server that `DATABASE_URL` names or on a PostgreSQL of its own.
 * `--smoke` drives it through real HTTP and ends with 0 when all went well.
 */
import { openDatabase } from './database.js'
import { startServer } from './server.js'
import { smoke } from './smoke/smoke.js'

const stopped = new Promise<void>((resolve) => {
  // `on`, not `once`: a second signal while we are closing must not end us halfway.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => resolve())
})

const wantsSmoke = process.argv.includes('--smoke')
const port = wantsSmoke ? 0 : Number(process.env['PORT'] ?? 0)

console.log('Starting …')
const database = await openDatabase()
try {
  const server = await startServer(database.url, port)
  try {
    console.log(`The board is at ${server.url}`)
    if (wantsSmoke) {
      const interrupted = stopped.then(() => Promise.reject(new Error('The run was interrupted.')))
      await Promise.race([smoke(server), interrupted])
    } else {
      for (const { email, password } of server.demoMembers) console.log(`  ${email}  ${password}`)
      await stopped
    }
  } finally {
    await server.close()
  }
} catch (error) {
  console.error(error)
  process.exitCode = 1
} finally {
  await database.close()
}
