import type { Database } from '@howdah/core'
import type { GroupStats, PubSub, StreamStats } from '@howdah/pubsub'
import { type Installable, installed, installedMigrations } from '../installed.js'
import { type ActivityRow, countHubs, type HubsRow, readActivity } from '../sql/activity.js'
import { listNamespaces, type NamespaceRow } from '../sql/list-namespaces.js'
import { listQueues, type QueueRow } from '../sql/list-queues.js'
import { countSessions, type SessionsRow } from '../sql/session-operators.js'

/** What the packages keep, at one moment; a part is absent where its tables are. */
export interface Snapshot {
  /** By the server's clock. */
  readonly at: number
  readonly hubs: HubsRow | undefined
  readonly notificationQueueUsage: number
  readonly queues: readonly QueueRow[] | undefined
  readonly namespaces: readonly NamespaceRow[] | undefined
  readonly streams: Streams | undefined
  readonly sessions: readonly SessionsRow[] | undefined
  readonly activity: ActivityRow
  /** How long each part took to ask for, in milliseconds. */
  readonly took: Readonly<Record<string, number>>
}

export interface Streams {
  readonly streams: readonly StreamStats[]
  readonly groups: readonly GroupStats[]
  readonly unsequenced: number
}

/** Asks for snapshots of one database. */
export class Observer {
  readonly #db: Database
  readonly #has: ReadonlySet<string>
  readonly #pubsub: PubSub | undefined

  private constructor(
    db: Database,
    has: ReadonlySet<string>,
    pubsub: Installable['pubsub'] | undefined,
  ) {
    this.#db = db
    this.#has = has
    if (pubsub !== undefined && has.has('pubsub')) this.#pubsub = new pubsub.PubSub({ pool: db })
  }

  /** Finds out which packages have their tables. */
  static async open(db: Database): Promise<Observer> {
    const statuses = await db.migrator.status(await installedMigrations())
    const there = statuses.filter(({ state }) => state === 'current' || state === 'newer')
    const has = new Set(there.map((one) => one.package))
    return new Observer(db, has, await installed('pubsub'))
  }

  async look(): Promise<Snapshot> {
    const { schema, options } = this.#db
    const took: Record<string, number> = {}
    const part = async <T>(owner: string, name: string, ask: () => Promise<T>) => {
      if (!this.#has.has(owner)) return undefined
      const before = performance.now()
      const answer = await ask()
      took[name] = performance.now() - before
      return answer
    }
    const [activity] = await this.#db.query(readActivity(schema, options.schema))
    const hubs = await part('core', 'hubs', () => this.#db.query(countHubs(schema)))
    const queues = await part('queue', 'queues', () => this.#db.query(listQueues(schema, null)))
    const namespaces = await part('cache', 'cache', () => this.#db.query(listNamespaces(schema)))
    const streams = await part('pubsub', 'streams', async () => this.#pubsub?.stats())
    const sessions = await part('session', 'sessions', () => this.#db.query(countSessions(schema)))
    const counted = activity as ActivityRow
    return {
      at: counted.now,
      hubs: hubs?.[0],
      notificationQueueUsage: counted.queueUsage,
      queues,
      namespaces,
      streams: streams && {
        streams: streams.streams,
        groups: streams.groups,
        unsequenced: streams.unsequenced,
      },
      sessions,
      activity: counted,
      took,
    }
  }

  async close(): Promise<void> {
    await this.#pubsub?.close()
  }
}
