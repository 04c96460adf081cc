import { type TracingChannel, tracingChannel } from 'node:diagnostics_channel'
import { onTracer, type TraceContext } from '../trace.js'

/** One kind of operation, by the name of its tracing channel `@howdah/<package>:<operation>`. */
export interface Operation {
  readonly name: string
  readonly package: string
  readonly operation: string
  /** What to tell operations of this kind apart by: the target, where its number is bounded by what the application is made of. */
  readonly targetOf: (target: string) => string
}

/** What to do at the beginning and the end of each operation. */
export interface Follower<Start> {
  /** Told of each channel once, before its first operation; the answer undoes what it did. */
  readonly onChannel?: ((operation: Operation, channel: Channel) => () => void) | undefined
  readonly onStart?: ((operation: Operation, context: TraceContext) => Start) | undefined
  readonly onEnd: (
    operation: Operation,
    context: TraceContext,
    seconds: number,
    start: Start | undefined,
  ) => void
}

/** A tracing channel of ours. */
export type Channel = TracingChannel<unknown, TraceContext>

/** Channels are often one a user or a document, so that publishing is not told apart by them. */
const UNBOUNDED: ReadonlySet<string> = new Set(['@howdah/pubsub:publish'])
const STATEMENT = /^howdah\.(.+)\.[\w-]{16}$/

/** Follows all operations of all packages in this process until the function it answers is called. Where an operation had begun before, its end is not told. */
export function followOperations<Start = undefined>(follower: Follower<Start>): () => void {
  const channels = new Map<string, () => void>()
  const stop = onTracer((name) => {
    const operation = operationOf(name)
    if (operation !== undefined && !channels.has(name))
      channels.set(name, follow(operation, follower))
  })
  return () => {
    stop()
    for (const unfollow of channels.values()) unfollow()
    channels.clear()
  }
}

/** Only names such as `@howdah/queue:add`, or of another scope. */
function operationOf(name: string): Operation | undefined {
  const [, packageName, operation] = /^@[\w.-]+\/([\w.-]+):([\w.-]+)$/.exec(name) ?? []
  if (packageName === undefined || operation === undefined) return undefined
  const unbounded = UNBOUNDED.has(name)
  return {
    name,
    package: packageName,
    operation,
    targetOf: (target) => (unbounded ? '' : (STATEMENT.exec(target)?.[1] ?? target)),
  }
}

function follow<Start>(operation: Operation, follower: Follower<Start>): () => void {
  const channel: Channel = tracingChannel(operation.name)
  // Of this follower alone: several may follow one operation.
  const begun = new WeakMap<
    TraceContext,
    { readonly at: number; readonly start: Start | undefined }
  >()
  const end = (context: TraceContext): void => {
    const one = begun.get(context)
    if (one === undefined) return
    begun.delete(context)
    follower.onEnd(operation, context, (performance.now() - one.at) / 1000, one.start)
  }
  const handlers = {
    start: (context: TraceContext) => {
      begun.set(context, { at: performance.now(), start: follower.onStart?.(operation, context) })
    },
    // An operation that threw before it made a promise ends here, and has no asynchronous end.
    end: (context: TraceContext) => {
      if ('error' in context) end(context)
    },
    asyncStart: () => {},
    asyncEnd: end,
    error: () => {},
  }
  const undo = follower.onChannel?.(operation, channel)
  channel.subscribe(handlers)
  return () => {
    channel.unsubscribe(handlers)
    undo?.()
  }
}
