import { createHash } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { pubSubError } from '../errors.js'
import type { Filter } from './filter.js'
import { positionOf } from './protocol.js'

/** What a request for server-sent events asks for. */
export interface SseRequest {
  readonly channels: readonly string[]
  /** Where to begin in streams; the others begin at their end. */
  readonly after: ReadonlyMap<string, string>
  readonly filters: Readonly<Record<string, Filter>>
  /** Names the list of channels in the ids of events. */
  readonly digest: string
  /** Whether it goes on from an earlier one. */
  readonly resumed: boolean
}

const MAX_NAME = 1000

/**
 * Reads the query (`ch`, once a channel; `after`, a position for all of them or an id of an earlier event; `filter`, JSON by channel) and `Last-Event-ID`.
 *
 * @throws {@link HowdahError} PUBSUB_BAD_FRAME
 */
export function parseSseRequest(request: IncomingMessage, maxChannels: number): SseRequest {
  const query = new URL(request.url ?? '', 'http://localhost').searchParams
  const channels = [...new Set(query.getAll('ch'))]
  const named = channels.every((ch) => ch !== '' && ch.length <= MAX_NAME)
  if (channels.length === 0 || channels.length > maxChannels || !named) {
    throw badRequest(`Name 1 to ${maxChannels} channels in the query: ?ch=orders&ch=news`)
  }
  const digest = digestOf(channels)
  const lastId = request.headers['last-event-id']
  const id = typeof lastId === 'string' && lastId !== '' ? lastId : query.get('after')
  const { after, resumed } = parseAfter(id, channels, digest)
  return { channels, after, filters: parseFilters(query.get('filter')), digest, resumed }
}

/** Writes down where a client is in each channel of its request. */
export function formatCursor(digest: string, positions: readonly (string | undefined)[]): string {
  return `${digest}.${positions.map((position) => position ?? '').join(',')}`
}

function parseAfter(id: string | null, channels: readonly string[], digest: string) {
  if (id === null || id === '') return { after: new Map<string, string>(), resumed: false }
  const [its, positions] = id.split('.', 2)
  if (positions === undefined) {
    const position = positionOf(id) as string
    return { after: new Map(channels.map((ch) => [ch, position])), resumed: false }
  }
  const list = positions.split(',')
  if (its !== digest || list.length !== channels.length) {
    throw badRequest('The id is one of a request for other channels.')
  }
  const after = new Map<string, string>()
  for (const [n, ch] of channels.entries()) {
    const position = list[n] === '' ? undefined : positionOf(list[n])
    if (position !== undefined) after.set(ch, position)
  }
  return { after, resumed: true }
}

function parseFilters(text: string | null): Record<string, Filter> {
  if (text === null) return {}
  try {
    const filters: unknown = JSON.parse(text)
    if (typeof filters === 'object' && filters !== null) {
      // Without a prototype, for the names are anybody's.
      return Object.assign(Object.create(null), filters) as Record<string, Filter>
    }
  } catch {}
  throw badRequest('filter is a JSON object of filters by channel.')
}

/** Short, for it goes along with every event. */
function digestOf(channels: readonly string[]): string {
  return createHash('sha256').update(JSON.stringify(channels)).digest('base64url').slice(0, 8)
}

function badRequest(message: string) {
  return pubSubError('PUBSUB_BAD_FRAME', message)
}
