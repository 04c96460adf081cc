/**
 * What travels with a job in the headers of its message, beside what others put there: the trace as W3C names it, and under `howdah` what
 * pgmq has no column for. A message of somebody else's has none of it.
 */
import { type JobSpec, TRACEPARENT, TRACESTATE } from '../../add-options.js'
import type { TraceHeaders } from '../../job.js'
import { unsupported } from '../engine.js'

/** Our part of the headers. */
export interface Notes {
  /** Own number of attempts, and own first wait. */
  readonly attempts?: number | undefined
  readonly backoff?: number | undefined
  /** How often it has failed. */
  readonly failures?: number | undefined
  /** How often it was read without that counting: handed back, or to be run later. */
  readonly free?: number | undefined
  /** It waits, though it was read so often. */
  readonly waits?: number | undefined
  readonly error?: string | undefined
  /** Of a dead letter: what it was. */
  readonly id?: string | undefined
  readonly queue?: string | undefined
  readonly added?: number | undefined
}

export type Headers = Readonly<Record<string, unknown>> & {
  readonly howdah?: Notes
}

/** What a job is sent with. */
export interface Envelope {
  readonly priority: number
  readonly headers: Headers | null
  /** Milliseconds from now. */
  readonly delayMs: number | null
  /** Milliseconds since the epoch. */
  readonly runAtMs: number | null
}

/** @throws {@link HowdahError} QUEUE_UNSUPPORTED */
export function envelope(spec: JobSpec): Envelope {
  if (spec === null) return { priority: 0, headers: null, delayMs: null, runAtMs: null }
  for (const [option, what] of [
    ['key', 'keys'],
    ['group', 'groups'],
    ['expireAfter', 'expiry'],
  ] as const) {
    if (option in spec) throw unsupported('pgmq', what)
  }
  const { attempts, backoff, trace } = spec as {
    attempts?: number
    backoff?: number
    trace?: string
  }
  const [traceparent, tracestate] = trace?.split('\n') ?? []
  const notes = { ...(attempts && { attempts }), ...(backoff && { backoff }) }
  const headers = {
    ...(traceparent !== undefined && { traceparent }),
    ...(tracestate !== undefined && { tracestate }),
    ...(Object.keys(notes).length > 0 && { howdah: notes }),
  }
  return {
    priority: (spec['priority'] as number | undefined) ?? 0,
    headers: Object.keys(headers).length > 0 ? headers : null,
    delayMs: (spec['delay'] as number | undefined) ?? null,
    runAtMs: (spec['runAt'] as number | undefined) ?? null,
  }
}

/** Headers as they are in the table; what others wrote may be anything. */
export function parseHeaders(text: string | null): Headers {
  const value = text === null ? null : JSON.parse(text)
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : {}
}

/** Our notes, as far as they are what we write. */
export function notesOf(headers: Headers): Notes {
  const { howdah } = headers
  if (typeof howdah !== 'object' || howdah === null) return {}
  const valid = Object.entries(howdah).filter(([name, value]) =>
    COUNTS.has(name)
      ? Number.isSafeInteger(value) && (value as number) >= 0
      : typeof value === 'string',
  )
  return Object.fromEntries(valid)
}

const COUNTS: ReadonlySet<string> = new Set([
  'attempts',
  'backoff',
  'failures',
  'free',
  'waits',
  'added',
])

export function withNotes(headers: Headers, notes: Notes): string {
  return JSON.stringify({ ...headers, howdah: { ...notesOf(headers), ...notes } })
}

export function traceOf({ traceparent, tracestate }: Headers): TraceHeaders | undefined {
  if (typeof traceparent !== 'string' || !TRACEPARENT.test(traceparent)) return undefined
  return typeof tracestate === 'string' && TRACESTATE.test(tracestate)
    ? { traceparent, tracestate }
    : { traceparent }
}
