import { Job, type JobHost, type TraceHeaders } from '../job.js'
import type { Taken } from '../sql/take.js'

type JobColumns = readonly [
  id: string,
  attempt: number,
  flags: number,
  priority: number,
  maxAttempts: number,
  addedAt: number,
  extras: {
    readonly trace: string | null
    readonly key: string | null
    readonly group: string | null
  } | null,
  payload: unknown,
]

/** Jobs as the server answered them. */
export function parseJobs<T>(taken: Pick<Taken, 'lease' | 'jobs'>, host: JobHost): Job<T>[] {
  const rows = JSON.parse(`[${taken.jobs ?? ''}]`) as JobColumns[]
  const lease = taken.lease as string
  return rows.map((row) => toJob<T>(row, host, lease))
}

function toJob<T>(
  [id, attempt, flags, priority, maxAttempts, addedAt, extras, payload]: JobColumns,
  host: JobHost,
  lease: string,
): Job<T> {
  return new Job<T>(host, lease, flags, {
    id,
    payload: payload as T,
    attempt: attempt + 1,
    maxAttempts,
    priority,
    addedAt,
    key: extras?.key ?? undefined,
    group: extras?.group ?? undefined,
    trace: parseTrace(extras?.trace ?? null),
  })
}

/** Both headers are kept as one text, divided by a line break, which neither may hold. */
export function formatTrace({ traceparent, tracestate }: TraceHeaders): string {
  return tracestate === undefined ? traceparent : `${traceparent}\n${tracestate}`
}

function parseTrace(text: string | null): TraceHeaders | undefined {
  if (text === null) return undefined
  const [traceparent = '', tracestate] = text.split('\n')
  return tracestate === undefined ? { traceparent } : { traceparent, tracestate }
}
