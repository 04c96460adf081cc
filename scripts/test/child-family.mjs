// A child that never ends by itself and starts a grandchild it does not look after. Prints both
// process ids, and the signal it is asked to end with.
import { spawn } from 'node:child_process'

const forever = 'setInterval(() => {}, 1000)'
const grandchild = spawn(process.execPath, ['-e', forever], { stdio: 'ignore' })
for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM'])) {
  process.on(signal, () => {
    process.stdout.write(`${signal}\n`, () => process.exit(0))
  })
}
setInterval(() => {}, 1_000)
process.stdout.write(`${process.pid} ${grandchild.pid}\n`)
