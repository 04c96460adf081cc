// Runs child-family.mjs as run.mjs runs a command.
import { fileURLToPath } from 'node:url'
import { runNode } from '../run/child.mjs'
import { interruption } from '../run/interruption.mjs'

interruption.listen()
const family = fileURLToPath(new URL('./child-family.mjs', import.meta.url))
try {
  await runNode(family, process.argv.slice(2))
} catch {
  // Interrupted.
}
process.exit(interruption.exitCode ?? 0)
