/**
 * What a worker holds, and what it has to tell the server of it.
 *
 * States of a job: held -> ended (waits to be settled) -> settling (on its way) -> settled, or lost.
 *
 * Invariants
 * - A lease is told as done as a whole only when every job still in it has completed plainly; else jobs leave it one by one.
 * - What was not answered waits again, in front: the server takes an end only from the lease it was claimed under, so telling it
 *   twice does no harm.
 */
import { endsPlainly } from '../migrations/functions/settle.js'
import type { Ends } from '../sql/take.js'

/** How a job ended. */
export interface End {
  readonly kind: 'completed' | 'failed' | 'later' | 'discarded' | 'cancelled' | 'returned'
  /** JSON of what the handler answered. */
  readonly output?: string | undefined
  readonly error?: string | undefined
  readonly delayMs?: number | undefined
  /** Rows of it are to be removed: its receipt, its progress. */
  readonly noted?: boolean | undefined
  /** What the handler threw. */
  readonly cause?: unknown
}

/** A job as the server knows it. */
export interface HeldJob {
  readonly id: string
  readonly flags: number
}

interface Lease<J extends HeldJob> {
  readonly id: string
  /** Jobs in it that the server has not been told of. */
  readonly held: Map<string, J>
  readonly ended: Map<string, { readonly job: J; readonly end: End }>
  /** How many of its ended jobs are on their way to the server. */
  telling: number
}

/** One message to the server, and the jobs it is about. */
export interface Flush<J extends HeldJob> {
  readonly ends: Ends
  readonly jobs: readonly { readonly lease: string; readonly job: J; readonly end: End }[]
  readonly leases: readonly string[]
}

const NOTHING: Ends = { done: null, cutLeases: null, cutIds: null, ended: null }

/** The leases of one worker. */
export class Holding<J extends HeldJob> {
  readonly #leases = new Map<string, Lease<J>>()
  readonly #changed = new Set<string>()
  #ended = 0

  /** Jobs that have ended and wait to be told of. */
  get waiting(): number {
    return this.#ended
  }

  /** Leases that the server is thought to have. */
  get leases(): string[] {
    return [...this.#leases.keys()]
  }

  add(lease: string, jobs: readonly J[]): void {
    const held = new Map(jobs.map((job) => [job.id, job]))
    this.#leases.set(lease, { id: lease, held, ended: new Map(), telling: 0 })
  }

  /** Notes an end, the first of a job. A job of a lease that was lost ends nothing. */
  end(lease: string, job: J, end: End): boolean {
    const known = this.#leases.get(lease)
    if (known === undefined || !known.held.has(job.id) || known.ended.has(job.id)) return false
    known.ended.set(job.id, { job, end })
    this.#changed.add(lease)
    this.#ended++
    return true
  }

  /** Forgets a lease that somebody else has ended. Answers its jobs that have not ended. */
  lose(lease: string): J[] {
    const known = this.#leases.get(lease)
    if (known === undefined) return []
    this.#leases.delete(lease)
    this.#changed.delete(lease)
    this.#ended -= known.ended.size - known.telling
    return [...known.held.values()].filter((job) => !known.ended.has(job.id))
  }

  /** Takes what is to be told now. A lease of which something is on its way waits until that is answered. */
  take(): Flush<J> {
    if (this.#ended === 0) return { ends: NOTHING, jobs: [], leases: [] }
    const done: string[] = []
    const cutLeases: string[] = []
    const cutIds: string[] = []
    const told: { lease: string; job: J; end: End }[] = []
    const leases: string[] = []
    let ended = ''
    for (const id of this.#changed) {
      const lease = this.#leases.get(id)
      if (lease === undefined || lease.telling > 0) continue
      this.#changed.delete(id)
      lease.telling = lease.ended.size
      leases.push(id)
      this.#ended -= lease.ended.size
      const whole = lease.ended.size === lease.held.size
      const plain = whole && allPlain(lease.ended.values())
      if (plain) done.push(id)
      for (const { job, end } of lease.ended.values()) {
        told.push({ lease: id, job, end })
        if (plain) continue
        cutLeases.push(id)
        cutIds.push(job.id)
        if (!isPlain(job, end)) ended += `${ended === '' ? '' : ','}"${job.id}":${entry(end)}`
      }
    }
    return {
      ends: {
        done: done.length === 0 ? null : done,
        cutLeases: cutLeases.length === 0 ? null : cutLeases,
        cutIds: cutIds.length === 0 ? null : cutIds,
        ended: ended === '' ? null : `{${ended}}`,
      },
      jobs: told,
      leases,
    }
  }

  /** The server has answered. */
  told(flush: Flush<J>): void {
    for (const { lease, job } of flush.jobs) {
      const known = this.#leases.get(lease)
      if (known === undefined) continue
      known.telling = 0
      known.held.delete(job.id)
      known.ended.delete(job.id)
      if (known.held.size === 0) this.#leases.delete(lease)
      else if (known.ended.size > 0) this.#changed.add(lease)
    }
  }

  /** No answer came: everything waits to be told once more. */
  untold(flush: Flush<J>): void {
    for (const id of flush.leases) {
      const lease = this.#leases.get(id)
      if (lease === undefined) continue
      this.#ended += lease.telling
      lease.telling = 0
      this.#changed.add(id)
    }
  }
}

function isPlain(job: HeldJob, end: End): boolean {
  return (
    end.kind === 'completed' &&
    end.output === undefined &&
    end.noted !== true &&
    endsPlainly(job.flags)
  )
}

function allPlain(ended: Iterable<{ readonly job: HeldJob; readonly end: End }>): boolean {
  for (const { job, end } of ended) if (!isPlain(job, end)) return false
  return true
}

function entry({ kind, output, error, delayMs }: End): string {
  let text = `{"k":"${kind}"`
  if (output !== undefined) text += `,"o":${JSON.stringify(output)}`
  if (error !== undefined) text += `,"e":${JSON.stringify(error)}`
  if (delayMs !== undefined) text += `,"d":${delayMs}`
  return `${text}}`
}
