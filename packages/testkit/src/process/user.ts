import { readFileSync, statSync } from 'node:fs'
import { dirname } from 'node:path'

/** The identity a server runs under. */
export interface User {
  readonly uid: number
  readonly gid: number
}

/** Who must run the server in our place: `nobody` when we are root, which PostgreSQL and PgBouncer refuse. */
export function unprivilegedUser(): User | undefined {
  if (process.getuid?.() !== 0) return undefined
  try {
    for (const line of readFileSync('/etc/passwd', 'utf8').split('\n')) {
      const [name, , uid, gid] = line.split(':')
      if (name === 'nobody' && uid && gid) return { uid: Number(uid), gid: Number(gid) }
    }
  } catch {
    // No such file; the usual number does.
  }
  return { uid: 65534, gid: 65534 }
}

/** Tells whether `user` may walk down to `path`: every folder above must let it through. */
export function canReach(path: string, user: User): boolean {
  for (let at = path; ; at = dirname(at)) {
    const { uid, gid, mode } = statSync(at)
    const shift = uid === user.uid ? 6 : gid === user.gid ? 3 : 0
    if (((mode >> shift) & 1) === 0) return false
    if (dirname(at) === at) return true
  }
}
