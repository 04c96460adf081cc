// Counts a file up `rounds` times, each time under the lock and in two steps that a second process
// would get between. With `stop` it ends like a killed process in the middle of its last round.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { withLock } from '../run/lock.mjs'

const [folder = '', rounds = '1', end] = process.argv.slice(2)
const counter = join(folder, 'counter')

for (let round = 1; round <= Number(rounds); round += 1) {
  await withLock(async () => {
    const value = Number(readFileSync(counter, 'utf8'))
    await setImmediate()
    writeFileSync(counter, String(value + 1))
    if (end === 'stop' && round === Number(rounds)) process.kill(process.pid, 'SIGKILL')
  }, folder)
}
