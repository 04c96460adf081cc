import { type Database, isHowdahError } from '@howdah/core'
import { type KeyRing, sealContext } from './key-ring.js'
import { scanAll } from './scan.js'
import { readOutdated, replaceData } from './sql/reencrypt-sessions.js'

/** What {@link Sessions.reencrypt} did. */
export interface Reencrypted {
  /** Sessions that the current key seals now. */
  readonly done: number
  /** Sessions that no key of the ring opens. They are left as they are. */
  readonly unreadable: number
}

/** Seals by the current key what another one has sealed. Safe to break off and to run again, beside requests and in several processes. */
export async function reencrypt(db: Database, name: string, ring: KeyRing): Promise<Reencrypted> {
  let done = 0
  let unreadable = 0
  const read = (after: string, limit: number) =>
    db.query(readOutdated(db.schema, name, ring.currentPrefix, after, limit))
  let batch: { hash: string; version: number; data: string }[] = []
  const write = async () => {
    if (batch.length === 0) return
    const [row] = await db.query(replaceData(db.schema, name, batch))
    done += row?.n ?? 0
    batch = []
  }
  for await (const { hash, version, data } of scanAll(read, (row) => row.hash)) {
    const context = sealContext(name, hash)
    try {
      batch.push({
        hash,
        version: Number(version),
        data: ring.seal(ring.open(data, context), context),
      })
    } catch (error) {
      if (!isHowdahError(error)) throw error
      unreadable++
    }
    if (batch.length === BATCH) await write()
  }
  await write()
  return { done, unreadable }
}

const BATCH = 200
