import type { UserSession } from './session.js'
import type { ListedRow } from './sql/operators.js'

/** A row of a user's list as it is answered. */
export function userSession(row: ListedRow): UserSession {
  const { address, agent, label } = row
  return {
    ref: row.ref,
    createdAt: new Date(row.created),
    seenAt: new Date(row.seen),
    expiresAt: new Date(row.expires),
    device: {
      ...(address !== null && { address }),
      ...(agent !== null && { userAgent: agent }),
      ...(label !== null && { label }),
    },
  }
}
