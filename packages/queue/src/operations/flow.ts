import type { Database, TransactionHandle } from '@howdah/core'
import { type JobOptions, jobSpec } from '../add-options.js'
import type { TraceHeaders } from '../job.js'
import { invalid, resolveName } from '../options.js'
import { encodePayload } from '../payload.js'
import { addFlow } from '../sql/flows.js'
import { openQueue } from '../sql/open-queue.js'

/** A job with the jobs it waits for. */
export interface FlowJob<T = unknown> {
  readonly payload: T
  /** Options of this job; no `key`, and no `expireAfter` for one with children. */
  readonly options?: JobOptions | undefined
  /** Jobs that have to end before this one starts. */
  readonly children?: readonly FlowChild[] | undefined
}

/** A job that another waits for. */
export interface FlowChild extends FlowJob {
  /** Name of its queue, on the same database. @defaultValue the parent's */
  readonly queue?: string | { readonly name: string } | undefined
  /** Lets the parent run even if this one fails for good, or is cancelled. @defaultValue `false` */
  readonly tolerate?: boolean | undefined
}

/** Ids of a flow, in the shape it was given. */
export interface FlowIds {
  readonly id: string
  readonly children: readonly FlowIds[]
}

interface Node {
  readonly queue: number
  readonly payload: number
  readonly spec: string
  readonly tolerate: boolean
  readonly children: readonly Node[]
}

const MAX_DEPTH = 100
const MAX_JOBS = 100_000

/** What is needed to add a flow that begins in one queue. */
export interface FlowSource {
  readonly db: Database
  readonly name: string
  readonly queue: number
  readonly maxPayloadBytes: number
  readonly trace: TraceHeaders | undefined
}

/** Adds a tree of jobs in one statement. @throws {@link HowdahError} QUEUE_INVALID_OPTION, QUEUE_INVALID_PAYLOAD, QUEUE_PAYLOAD_TOO_LARGE */
export async function addFlowTree(
  source: FlowSource,
  root: FlowJob,
  client: TransactionHandle | undefined,
): Promise<FlowIds> {
  const numbers = new Map([[source.name, source.queue]])
  for (const name of queueNames(root)) {
    if (numbers.has(name)) continue
    const [row] = await source.db.query(openQueue(source.db.schema, name, '{}'))
    numbers.set(name, (row as { readonly id: number }).id)
  }
  let left = MAX_JOBS
  const payloads: string[] = []
  const toNode = (job: FlowChild, parentQueue: string, depth: number): Node => {
    if (depth > MAX_DEPTH) throw invalid(`A flow may be ${MAX_DEPTH} jobs deep.`)
    if (--left < 0) throw invalid(`A flow may have ${MAX_JOBS} jobs.`)
    const { options = {}, children = [], tolerate = false } = job
    if (options.key !== undefined) throw invalid('A job of a flow can have no key.')
    if (children.length > 0 && options.expireAfter !== undefined) {
      throw invalid('A job that waits for children cannot expire: give it no expireAfter.')
    }
    if (typeof tolerate !== 'boolean') throw invalid('tolerate must be true or false.')
    const name = nameOf(job) ?? parentQueue
    return {
      queue: numbers.get(name) as number,
      payload: payloads.push(encodePayload(job.payload, source.maxPayloadBytes)),
      spec: JSON.stringify(jobSpec(options, source.trace)),
      tolerate,
      children: children.map((child) => toNode(child, name, depth + 1)),
    }
  }
  const tree = render(toNode(root, source.name, 1))
  const [row] = await source.db.query(addFlow(source.db.schema, tree, payloads), client)
  return JSON.parse((row as { readonly ids: string }).ids) as FlowIds
}

function render({ queue, payload, spec, tolerate, children }: Node): string {
  return `{"queue":${queue},"payload":${payload},"spec":${spec},"tolerate":${tolerate},"children":[${children.map(render).join(',')}]}`
}

function queueNames(job: FlowChild): string[] {
  const { children = [] } = job
  if (!Array.isArray(children)) throw invalid('children must be an array of jobs.')
  const name = nameOf(job)
  return [...(name === undefined ? [] : [name]), ...children.flatMap(queueNames)]
}

function nameOf({ queue }: FlowChild): string | undefined {
  if (queue === undefined) return undefined
  return resolveName(typeof queue === 'string' ? queue : queue?.name)
}
