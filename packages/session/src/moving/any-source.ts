/** Stores that list the ids of their sessions, and express-session's MemoryStore, which answers its sessions by id. How long one has left, its cookie must say. */
import { type CallbackStore, call, found } from './callback-store.js'
import type { SessionSource, SourceSession } from './session-source.js'

/** A store that may know the ids of its sessions. */
interface ListingStore extends CallbackStore {
  ids?(callback: (error: unknown, ids?: unknown) => void): unknown
}

/** Answers `undefined` where a store has neither method. */
export function anySource(store: ListingStore): SessionSource | undefined {
  const list = listOf(store)
  if (list === undefined) return undefined
  return {
    async *batches(size) {
      const ids = [...(await list())]
      while (ids.length > 0) {
        const sessions = await Promise.all(ids.splice(0, size).map((id) => read(store, id)))
        yield sessions.filter((session) => session !== undefined)
      }
    },
    async live(ids) {
      const sessions = await Promise.all(ids.map((id) => found(store, id)))
      return new Set(ids.filter((_, at) => sessions[at] !== null))
    },
  }
}

function listOf(store: ListingStore): (() => Promise<readonly string[]>) | undefined {
  if (typeof store.ids === 'function') {
    return async () => ((await call((done) => store.ids?.(done))) as string[] | undefined) ?? []
  }
  if (typeof store.all !== 'function') return undefined
  return async () => {
    const all = await call((done) => store.all?.(done))
    // In an array no session says what its id is.
    return Array.isArray(all) ? [] : Object.keys(all ?? {})
  }
}

async function read(store: CallbackStore, id: string): Promise<SourceSession | undefined> {
  const data = await found(store, id)
  return data === null ? undefined : { id, data, ttl: left(data) }
}

/** What a store still answers has not ended, whatever its cookie says. */
function left(data: object): number | undefined {
  const { cookie } = data as {
    readonly cookie?: { readonly expires?: unknown; readonly originalMaxAge?: unknown }
  }
  const { expires, originalMaxAge } = cookie ?? {}
  if (expires instanceof Date || typeof expires === 'string') {
    const ms = new Date(expires).getTime() - Date.now()
    if (ms > 0) return ms
  }
  return typeof originalMaxAge === 'number' ? originalMaxAge : undefined
}
