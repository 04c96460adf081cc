/**
 * Copies the sessions of another store, which is in use meanwhile.
 *
 * Nothing that is here is overwritten: what the application writes through a mirror is newer than what was read before. And what ends meanwhile must not come back. A batch is
 *
 *     read from the old store (1) -> inserted here (2) -> asked for in the old store again (3) -> ended here where it is gone there (4) -> confirmed (5)
 *
 * while a logout through the mirror ends the session in the old store (a) and after that here (b). If (a) comes before (3), (3) finds nothing, and (4) ends what (2) inserted. If (a) comes after
 * (3), then (b) does too, and so after (2): it ends what (2) inserted. There is no third case. Until (5) a session has ten minutes to live, so that what an import that
 * died between (2) and (4) left behind does not outlive it by long. The next import finds it not confirmed, and goes on with it at (3).
 *
 * A save through the mirror that comes after (1) writes here before (2), and then (2) inserts nothing, or after it, and then it writes over what was inserted. (5) leaves alone what was written since.
 */
import { sessionError } from '../errors.js'
import { hashId, refOf } from '../id.js'
import type { Contents, SessionRecords } from '../records/session-records.js'
import { type CallbackStore, isStore } from './callback-store.js'
import { type SessionSource, type SourceSession, sourceOf } from './session-source.js'

const UNCONFIRMED_MS = 600_000
/** As long as a timestamp can go on. */
const LONGEST_MS = 1000 * 365.25 * 86_400_000

/** What an import has done. `read` is the sum of the others. */
export interface ImportCounts {
  readonly read: number
  readonly imported: number
  /** Were here already, or ended while they were copied. */
  readonly skipped: number
  /** Could not be stored here. */
  readonly refused: number
}

/** Options of {@link Sessions.importFrom}. */
export interface ImportOptions {
  /** Is called after each batch with what was done so far. */
  readonly onProgress?: ((counts: ImportCounts) => void) | undefined
  /** Is called for each session that could not be stored here, with its `ref`, the SHA-256 of its id. */
  readonly onRefused?: ((ref: string, error: unknown) => void) | undefined
  /** Sessions that are read and held in memory at a time. @defaultValue `500` */
  readonly batch?: number | undefined
  /** Stops the import between two batches. */
  readonly signal?: AbortSignal | undefined
}

/** Makes of a session what is to be stored, or throws where it cannot be. */
export type ContentsOf = (hash: string, data: object, ttl: number | undefined) => Contents

/** @throws {@link HowdahError} SESSION_INVALID_OPTION, what the store fails with, and the reason of `signal` */
export async function importSessions(
  store: CallbackStore,
  options: ImportOptions,
  records: SessionRecords,
  contentsOf: ContentsOf,
): Promise<ImportCounts> {
  const { onProgress, onRefused, batch = 500, signal } = options
  if (!isStore(store))
    throw invalid('Pass importFrom() the session store that the sessions are in.')
  if (!Number.isSafeInteger(batch) || batch < 1 || batch > 100_000) {
    throw invalid('batch must be a whole number from 1 to 100000.')
  }
  const source = sourceOf(store)
  const counts = { read: 0, imported: 0, skipped: 0, refused: 0 }
  signal?.throwIfAborted()
  for await (const sessions of source.batches(batch)) {
    const valid = new Map<string, { readonly id: string; readonly contents: Contents }>()
    for (const session of sessions) {
      const refuse = (error: unknown) => {
        counts.refused++
        onRefused?.(refOf(session.id), error)
      }
      const contents = checked(session, contentsOf, refuse)
      if (contents !== undefined) valid.set(contents.hash, { id: session.id, contents })
    }
    counts.read += sessions.length
    const imported = await copy([...valid.values()], source, records)
    counts.imported += imported
    counts.skipped = counts.read - counts.imported - counts.refused
    onProgress?.({ ...counts })
    signal?.throwIfAborted()
  }
  return counts
}

/** Answers how many were inserted and are live in the old store. */
async function copy(
  batch: readonly { readonly id: string; readonly contents: Contents }[],
  source: SessionSource,
  records: SessionRecords,
): Promise<number> {
  if (batch.length === 0) return 0
  const inserted = await records.insert(
    batch.map(({ contents }) => contents),
    UNCONFIRMED_MS,
  )
  const copied = batch.filter(({ contents }) => inserted.has(contents.hash))
  if (copied.length === 0) return 0
  const live = await source.live(copied.map(({ id }) => id))
  const gone = copied.filter(({ id }) => !live.has(id))
  await Promise.all(gone.map(({ contents }) => records.end(contents.hash)))
  const stayed = copied.filter(({ id }) => live.has(id)).map(({ contents }) => contents)
  await records.confirm(stayed, inserted)
  return stayed.length
}

function checked(
  { id, data, ttl }: SourceSession,
  contentsOf: ContentsOf,
  refuse: (error: unknown) => void,
): Contents | undefined {
  try {
    const hash = hashId(id)
    if (typeof data !== 'object' || data === null) {
      // What a parser says of it quotes what it could not read.
      throw sessionError('SESSION_CORRUPT', 'The old store has something here that is no session.')
    }
    return contentsOf(hash, data, ttl === undefined ? ttl : Math.min(Math.ceil(ttl), LONGEST_MS))
  } catch (error) {
    refuse(error)
    return undefined
  }
}

function invalid(message: string) {
  return sessionError('SESSION_INVALID_OPTION', message)
}
