import { randomBytes } from 'node:crypto'
import { chownSync, mkdirSync, realpathSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { canReach, type User } from './user.js'
import type { Watchdog } from './watchdog.js'

/** Makes a private folder that vanishes with us, in the hands of `user` when one is given. */
export async function temporaryFolder(watchdog: Watchdog, user: User | undefined): Promise<string> {
  const usual = realpathSync(tmpdir())
  const base = user !== undefined && !canReach(usual, user) ? '/tmp' : usual
  const folder = join(base, `howdah-testkit-${randomBytes(8).toString('hex')}`)
  await watchdog.own(folder)
  mkdirSync(folder, { mode: 0o700 })
  if (user !== undefined) chownSync(folder, user.uid, user.gid)
  return folder
}
