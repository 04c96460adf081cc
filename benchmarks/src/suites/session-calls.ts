import { setImmediate as turn } from 'node:timers/promises'
import type { Session, SessionData } from 'express-session'
import type { Contender, Scenario } from '../suite.js'
import { idOf, numberAt, SESSIONS, sessionOf, userOf } from './session-data.js'
import { called, type NamedStore, type Stores } from './session-stores.js'

const CALLERS = 64
/** Sessions that requests have in hand; each caller is at another one. */
const LOADED = 10_000
/** Touches that are answered from memory never leave the microtasks, where no server can be heard: an application does that between requests. */
const CALLS_IN_A_TURN = 1000

type Loaded = SessionData & Session & { seen?: number }

/** The calls that express-session makes of a store. */
export async function callScenarios({
  ours,
  oursDue,
  pgSimple,
  redis,
}: Stores & { readonly redis: NamedStore }): Promise<Scenario[]> {
  const of = `of 500 bytes, one of ${SESSIONS.toLocaleString('en')}`
  const against = (call: string) => ({
    callers: CALLERS,
    figure: `${call}_vs_connect_redis`,
    figures: { [`${call}_vs_connect_pg_simple`]: pgSimple.name },
  })
  return [
    {
      ...against('get'),
      title: `Reading a session ${of}`,
      ours: gets(ours),
      peers: [gets(redis), gets(pgSimple)],
    },
    {
      ...against('set'),
      title: `Writing a session ${of}, as a whole: it was not loaded`,
      ours: sets(ours),
      peers: [
        sets(redis),
        sets(pgSimple),
        await savesLoaded(ours, ', loaded, one key changed'),
        await savesLoaded(redis, ', the same'),
      ],
    },
    {
      ...against('touch'),
      title: `Touching a session ${of}, that its request has loaded`,
      ours: await touchesLoaded(ours),
      peers: [
        await touchesLoaded(redis),
        await touchesLoaded(pgSimple),
        touches(ours, ', not loaded'),
        await touchesLoaded(oursDue),
      ],
    },
  ]
}

function gets({ name, store }: NamedStore): Contender {
  return {
    name,
    async call(at) {
      const n = numberAt(at)
      const found = await called<SessionData>((done) => store.get(idOf(n), done))
      // A benchmark that answers wrongly measures nothing.
      if ((found as { userId?: unknown } | null)?.userId === userOf(n)) return
      throw new Error('A contender answered with a wrong session.')
    },
  }
}

function sets({ name, store }: NamedStore): Contender {
  return {
    name,
    async call(at) {
      const n = numberAt(at)
      await called((done) => store.set(idOf(n), sessionOf(n), done))
    },
  }
}

async function savesLoaded({ name, store }: NamedStore, what: string): Promise<Contender> {
  const sessions = await load(store)
  return {
    name: name + what,
    async call(at) {
      const session = sessions[at % LOADED] as Loaded
      session.seen = at
      await called((done) => store.set(session.id, session, done))
    },
  }
}

async function touchesLoaded({ name, store }: NamedStore): Promise<Contender> {
  const sessions = await load(store)
  return {
    name,
    async call(at) {
      const session = sessions[at % LOADED] as Loaded
      await called((done) => store.touch(session.id, session, done))
      if (at % CALLS_IN_A_TURN === 0) await turn()
    },
  }
}

function touches({ name, store }: NamedStore, what: string): Contender {
  return {
    name: name + what,
    async call(at) {
      const n = numberAt(at)
      await called((done) => store.touch(idOf(n), sessionOf(n), done))
    },
  }
}

/** Loads sessions as express-session does for a request: what the store answers becomes the session of the request. */
async function load(store: NamedStore['store']): Promise<Loaded[]> {
  const loaded = Array.from({ length: LOADED }, (_, n) =>
    called<SessionData>((done) => store.load(idOf(n * (SESSIONS / LOADED)), done)),
  )
  return (await Promise.all(loaded)) as Loaded[]
}
