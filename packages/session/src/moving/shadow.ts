import { setTimeout as later } from 'node:timers/promises'
import { refOf } from '../id.js'
import type { MirrorMismatch } from './mirror-events.js'
import { differingKeys, type PlainSession } from './same-session.js'
import type { StoreSide } from './store-side.js'
import { within } from './within.js'

/** Comparisons that run at a time; reads beyond that are not compared. */
const MOST = 64
/** What differs may be a write under way that one store has and the other not yet. */
const SECOND_LOOK_MS = 200

type Difference = Omit<MirrorMismatch, 'ref'>

/** Compares what the two stores of a mirror have of a session. */
export class Shadow {
  readonly #timeout: number
  readonly #counts = { compared: 0, 'missing-in-old': 0, 'missing-in-new': 0, different: 0 }
  #running = 0

  constructor(timeout: number) {
    this.#timeout = timeout
  }

  get counts(): Readonly<Record<'compared' | MirrorMismatch['kind'], number>> {
    return this.#counts
  }

  /** Compares what one store answered with what the other has. Answers how they differ, where they still do when both are asked again. */
  async compare(
    sid: string,
    answer: PlainSession | null,
    side: StoreSide,
    other: StoreSide,
  ): Promise<MirrorMismatch | undefined> {
    if (this.#running >= MOST) return undefined
    this.#running++
    try {
      let differs = difference(answer, await within(this.#timeout, other.getPlain(sid)), side)
      if (differs !== undefined) {
        await later(SECOND_LOOK_MS, undefined, { ref: false })
        const both = Promise.all([side.getPlain(sid), other.getPlain(sid)])
        differs = difference(...(await within(this.#timeout, both)), side)
      }
      this.#counts.compared++
      if (differs === undefined) return undefined
      this.#counts[differs.kind]++
      return { ref: refOf(sid), ...differs }
    } finally {
      this.#running--
    }
  }
}

function difference(
  mine: PlainSession | null,
  theirs: PlainSession | null,
  side: StoreSide,
): Difference | undefined {
  if (mine === null || theirs === null) {
    const there = mine ?? theirs
    // Of a session that holds nothing, one store may have kept the cookie.
    if (there === null || Object.keys(there).every((key) => key === 'cookie')) return undefined
    const missing = (mine === null) === (side.name === 'old') ? 'old' : 'new'
    return { kind: `missing-in-${missing}`, keys: [] }
  }
  const keys = differingKeys(mine, theirs).sort()
  return keys.length === 0 ? undefined : { kind: 'different', keys }
}
