import { Cache } from '@howdah/cache'
import { Database } from '@howdah/core'
import { type Channel, PubSub } from '@howdah/pubsub'
import type { SearchIndex } from '@howdah/search'
import { PgSessionStore } from '@howdah/session/express'
import type { Pool } from 'pg'
import type { BoardEvent } from './domain/events.js'
import { type Jobs, openJobs, startWorkers } from './domain/jobs.js'
import { openSearch } from './domain/search.js'
import { createTables } from './schema.js'
import { type DemoMember, setUpDemoMembers } from './seed/demo-members.js'
import { loadSeed } from './seed/load.js'

/** Everything the application works with. All of it lives in the one database behind the pool. */
export interface Board {
  readonly pool: Pool
  readonly db: Database
  readonly sessions: PgSessionStore
  readonly search: SearchIndex
  readonly cache: Cache
  readonly jobs: Jobs
  readonly events: Channel<BoardEvent>
  /** The accounts to try it with. */
  readonly demoMembers: readonly DemoMember[]
  /** Waits for running jobs, then lets go of everything but the pool. */
  close(): Promise<void>
}

/** Opens the board: makes its tables, fills an empty one, attaches the search index and starts the workers. */
export async function openBoard(pool: Pool): Promise<Board> {
  const db = Database.from(pool)
  const pubsub = new PubSub({ pool })
  const parts = {
    sessions: new PgSessionStore({ pool, ttl: '12h' }),
    search: openSearch(pool),
    cache: new Cache({ pool, namespace: 'offers', ttl: '30s' }),
    jobs: openJobs(pool),
  }
  const close = async () => {
    await Promise.all(Object.values(parts.jobs).map((queue) => queue.close()))
    const { sessions, search, cache } = parts
    await Promise.all([sessions, search, cache, pubsub].map((part) => part.close()))
    await db.close()
  }
  try {
    const demoMembers = await setUp(db, parts.jobs)
    await parts.search.attach()
    const events = pubsub.channel<BoardEvent>('offers')
    const board: Board = { pool, db, ...parts, events, demoMembers, close }
    startWorkers(board)
    return board
  } catch (error) {
    await close()
    throw error
  }
}

/** All or nothing, and one process after the other. */
function setUp(db: Database, jobs: Jobs): Promise<DemoMember[]> {
  return db.transaction(async (tx) => {
    await createTables(tx)
    await loadSeed(tx, jobs)
    return setUpDemoMembers(tx)
  })
}
