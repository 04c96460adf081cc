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

/** Jobs as the server answered them, by lease. */
export function parseJobs<T>(taken: Taken, host: JobHost): Map<string, Job<T>[]> {
  const leases = taken.leases?.split(',') ?? []
  const rows = JSON.parse(`[${taken.jobs ?? ''}]`) as JobColumns[]
  const byLease = new Map<string, Job<T>[]>()
  for (const [at, row] of rows.entries()) {
    const lease = (leases.length === 1 ? leases[0] : leases[at]) as string
    const jobs = byLease.get(lease)
    const job = toJob<T>(row, host, lease)
    if (jobs === undefined) byLease.set(lease, [job])
    else jobs.push(job)
  }
  return byLease
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
