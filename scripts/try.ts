/** Runs one TypeScript file with `DATABASE_URL` set: to that of the environment, else to a throwaway PostgreSQL. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { startPostgres } from '@howdah/testkit'

const [name] = process.argv.slice(2)
// npm changes to the root of the repository, and tells where it was called.
const file = resolve(process.env['INIT_CWD'] ?? '.', name ?? '')
if (name === undefined || !existsSync(file)) {
  process.stderr.write(
    name === undefined
      ? 'Name a file to run: npm run try my-file.ts\n'
      : `There is no file ${name}: save the snippet there first.\n`,
  )
  process.exit(1)
}

const url = process.env['DATABASE_URL']
const server = url ? undefined : await startPostgres()
try {
  const child = spawn(process.execPath, ['--import', 'tsx', file], {
    stdio: 'inherit',
    env: { ...process.env, DATABASE_URL: url || server?.url },
  })
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal))
  const [code] = (await once(child, 'exit')) as [number | null]
  process.exitCode = code ?? 1
} finally {
  await server?.close()
}
