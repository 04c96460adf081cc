import type { EventEmitter } from 'node:events'
import type { Queryable } from '../queryable.js'
import type { DirectConnection } from './driver.js'

/** Options a pool was made with, and would pass to each of its clients. */
export type PoolOptionsLike = Record<string, unknown>

interface ClientLike extends Queryable, EventEmitter {
  readonly processID?: number | null
  connect(): Promise<unknown>
  end(): Promise<void>
  unref?(): void
  readonly connection?: { readonly stream?: { destroy(): unknown } }
}

/** `pg.Client` as the pool holds it, so that we use the application's copy and version of `pg`. */
export type ClientConstructor = new (options: PoolOptionsLike) => ClientLike

/** After this long without an answer to our farewell the socket is cut. */
const FAREWELL_MS = 500

/** Opens a connection like the pool's own, or to `url`, that belongs to us alone. An abort cuts the attempt. */
export async function openConnection(
  Client: ClientConstructor,
  options: PoolOptionsLike,
  url?: string,
  signal?: AbortSignal,
): Promise<DirectConnection> {
  signal?.throwIfAborted()
  const client = new Client(clientOptions(options, url))
  let lost: ((error: unknown) => void) | undefined
  let over = false
  const onOver = (error?: unknown) => {
    if (over) return
    over = true
    lost?.(error ?? new Error('The server closed the connection.'))
  }
  client.on('error', onOver)
  client.on('end', () => onOver())
  const cut = () => client.connection?.stream?.destroy()
  signal?.addEventListener('abort', cut, { once: true })
  try {
    await client.connect()
    signal?.throwIfAborted()
  } catch (error) {
    await end(client)
    throw error
  } finally {
    signal?.removeEventListener('abort', cut)
  }
  return {
    processId: client.processID ?? undefined,
    query: (config) => client.query(config),
    onNotification(listener) {
      client.on('notification', ({ channel, payload }: { channel: string; payload?: string }) => {
        listener(channel, payload ?? '')
      })
    },
    onLost(listener) {
      lost = listener
    },
    unref() {
      client.unref?.()
    },
    async close() {
      over = true
      await end(client)
    },
  }
}

/** The pool hides its password from enumeration, so a plain spread would lose it. */
function clientOptions(options: PoolOptionsLike, url: string | undefined): PoolOptionsLike {
  const base = {
    connectionTimeoutMillis: 10_000,
    keepAlive: true,
    application_name: 'howdah',
    ...options,
    // A statement timeout of the pool's would end a quiet LISTEN's liveness query no sooner than ours does.
    query_timeout: undefined,
  }
  if (url !== undefined) {
    for (const key of ['host', 'port', 'user', 'database', 'connectionString'])
      delete (base as PoolOptionsLike)[key]
    return { ...base, connectionString: url }
  }
  return { ...base, password: options['password'], ssl: options['ssl'] }
}

/** Of the pool, and nothing to a client. */
const POOLS_OWN = ['Client', 'Promise', 'log', 'verify', 'onConnect', 'types', 'max', 'min']

/** What of a pool's options another thread can be given: `undefined` where something it would need cannot be copied. */
export async function portableOptions(
  options: PoolOptionsLike,
): Promise<PoolOptionsLike | undefined> {
  const { password, ssl } = options
  const base: PoolOptionsLike = { ...options, ssl }
  for (const key of POOLS_OWN) delete base[key]
  base['password'] = typeof password === 'function' ? await password() : password
  try {
    return structuredClone(base)
  } catch {
    return undefined
  }
}

/** Says goodbye to the server, and cuts the socket where nobody answers: a frozen network must not hold up a close. */
async function end(client: ClientLike): Promise<void> {
  const farewell = client.end().catch(() => {})
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(() => {
      client.connection?.stream?.destroy()
      resolve()
    }, FAREWELL_MS)
  })
  await Promise.race([farewell, late])
  clearTimeout(timer)
}
