import { type TracingChannel, tracingChannel } from 'node:diagnostics_channel'

/** What subscribers of a Howdah tracing channel receive; `result` and `error` are set when the operation has ended. */
export interface TraceContext {
  /** What the operation works on: a statement's label, a queue, a channel. */
  readonly target: string
  /** How many items the operation carries, where it carries several. */
  readonly count?: number | undefined
  /** The item itself, where the operation is about one. */
  readonly item?: unknown
  result?: unknown
  error?: unknown
}

/** One traced operation of a package. */
export interface Tracer {
  /** The channel's name without the `tracing:` prefix, such as `@howdah/core:query`. */
  readonly name: string
  /** Whether anyone may be listening, for operations that are over sooner than a promise is made. */
  readonly active: boolean
  /** Runs `fn` inside the channel's `start`, `asyncStart`, `asyncEnd`, `end` and `error` events. */
  run<T>(context: () => TraceContext, fn: () => Promise<T>): Promise<T>
}

/** Tracers of this process, also those of another copy of this module (ESM beside CommonJS): tracing channels are one for all copies, too. */
interface Tracers {
  readonly names: Set<string>
  readonly listeners: Set<(name: string) => void>
}

const TRACERS = Symbol.for('@howdah/core:tracers')
const shared = globalThis as { [TRACERS]?: Tracers }

function tracers(): Tracers {
  shared[TRACERS] ??= { names: new Set(), listeners: new Set() }
  return shared[TRACERS]
}

/**
 * Calls back with the name of each tracing channel there is in this process, and of each that is made later, and returns the function that ends that. For
 * what listens to all operations of all packages, for instance metrics.
 *
 * @example
 * ```ts
 * import { onTracer } from '@howdah/core'
 *
 * const stop = onTracer((name) => console.log(name)) // @howdah/core:query
 * stop()
 * ```
 */
export function onTracer(listener: (name: string) => void): () => void {
  const { names, listeners } = tracers()
  // A listener that is given twice is two listeners.
  const call = (name: string): void => listener(name)
  listeners.add(call)
  for (const name of names) call(name)
  return () => {
    listeners.delete(call)
  }
}

function announce(name: string): void {
  const { names, listeners } = tracers()
  if (names.has(name)) return
  names.add(name)
  for (const listener of listeners) listener(name)
}

/**
 * Makes the tracer for one operation, on a `node:diagnostics_channel` tracing channel named `{package}:{operation}`. Where
 * nobody subscribes it costs one property read: the context is not even built.
 *
 * @see https://nodejs.org/api/diagnostics_channel.html#class-tracingchannel
 *
 * @example
 * ```ts
 * import { tracingChannel } from 'node:diagnostics_channel'
 * import { tracer } from '@howdah/core'
 *
 * const refresh = tracer('@example/app:refresh')
 * tracingChannel('@example/app:refresh').subscribe({
 *   start() {}, end() {}, asyncStart() {}, asyncEnd() {}, error() {},
 * })
 * await refresh.run(() => ({ target: 'prices' }), async () => 42)
 * ```
 */
export function tracer(name: string): Tracer {
  announce(name)
  const channel = tracingChannel(name) as TracingChannel<unknown, TraceContext> & {
    readonly hasSubscribers?: boolean
  }
  return {
    name,
    get active() {
      // `hasSubscribers` came in Node 20.13; without it we trace always, which is right and only slower.
      return channel.hasSubscribers !== false
    },
    run(context, fn) {
      if (channel.hasSubscribers === false) return fn()
      return channel.tracePromise(fn, context()) as ReturnType<typeof fn>
    },
  }
}
