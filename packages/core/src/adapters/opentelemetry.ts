/**
 * Spans and metrics of OpenTelemetry for the operations of all packages.
 *
 * @packageDocumentation
 */
import {
  type Attributes,
  type Context,
  context,
  type Histogram,
  type Link,
  metrics,
  propagation,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api'
import { HowdahError } from '../errors.js'
import { errorCode } from '../metrics/error-code.js'
import { type Channel, followOperations, type Operation } from '../metrics/follow-operations.js'
import type { TraceContext } from '../trace.js'

/** Options of {@link openTelemetry}. */
export interface OpenTelemetryOptions {
  /** Whether operations become spans. @defaultValue `true` */
  readonly spans?: boolean | undefined
  /** Whether operations are counted and timed. @defaultValue `true` */
  readonly metrics?: boolean | undefined
  /** Operations that are left out, by their channels, such as `'@howdah/queue:process'`. @defaultValue none */
  readonly ignore?: readonly string[] | undefined
  /** Makes a job's span a `'child'` of the span that added it, or a trace of its own with a `'link'` to it. @defaultValue `'child'` */
  readonly relation?: 'child' | 'link' | undefined
}

const NAME = '@howdah/core'

/** What the conventions of OpenTelemetry say of an operation; others are internal spans. */
interface Convention {
  readonly kind: SpanKind
  /** The type of a messaging operation; `undefined` for a statement of the database. */
  readonly messaging?: 'send' | 'receive' | 'process' | undefined
  /** Goes on in the background all the time, and is worth a span only within another. */
  readonly quiet?: boolean | undefined
}

const CONVENTIONS: Readonly<Record<string, Convention>> = {
  '@howdah/core:query': { kind: SpanKind.CLIENT, quiet: true },
  '@howdah/core:migrate': { kind: SpanKind.INTERNAL, quiet: true },
  '@howdah/queue:add': { kind: SpanKind.PRODUCER, messaging: 'send' },
  '@howdah/queue:take': { kind: SpanKind.CLIENT, messaging: 'receive', quiet: true },
  '@howdah/queue:process': { kind: SpanKind.CONSUMER, messaging: 'process' },
  '@howdah/pubsub:publish': { kind: SpanKind.PRODUCER, messaging: 'send' },
  '@howdah/pubsub:append': { kind: SpanKind.PRODUCER, messaging: 'send' },
}
const INTERNAL: Convention = { kind: SpanKind.INTERNAL }

/**
 * Makes a span of each operation of all packages in this process, active while it runs, and records its duration in the histogram
 * `howdah.operation.duration`, until the function it answers is called. What the application's SDK does not take in costs next to nothing.
 *
 * A job is a consumer span that goes on with the trace of the job, where it has one: give the queue the option `trace`, as
 * `openTelemetry().queue` of `@howdah/queue/opentelemetry` does. Where the `work` of that is used as well, ignore `@howdah/queue:process` here.
 *
 * @example
 * ```ts
 * import { openTelemetry } from '@howdah/core/opentelemetry'
 *
 * const stop = openTelemetry()
 * stop()
 * ```
 *
 * @see https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/
 * @throws {@link HowdahError} CORE_INVALID_OPTION
 */
export function openTelemetry(options: OpenTelemetryOptions = {}): () => void {
  const { spans, metrics: measures, ignore, relation } = resolve(options)
  const duration = measures ? makeHistogram() : undefined
  const opened = new WeakMap<TraceContext, Span>()
  return followOperations({
    onChannel: (operation, channel) => {
      if (!spans || ignore.has(operation.name)) return () => {}
      return bindSpans(channel, (traced) => startSpan(operation, traced, relation, opened))
    },
    onEnd: (operation, traced, seconds) => {
      if (ignore.has(operation.name)) return
      const failed = 'error' in traced
      const span = opened.get(traced)
      if (span !== undefined) endSpan(span, traced, failed)
      duration?.record(seconds, {
        'howdah.package': operation.package,
        'howdah.operation': operation.operation,
        ...targetAttribute(operation.targetOf(traced.target)),
        ...(failed ? { 'error.type': errorCode(traced.error) } : {}),
      })
    },
  })
}

function makeHistogram(): Histogram {
  return metrics.getMeter(NAME).createHistogram('howdah.operation.duration', {
    unit: 's',
    description: 'How long operations took, those that failed included.',
    advice: {
      explicitBucketBoundaries: [
        0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 30, 60, 300,
      ],
    },
  })
}

/**
 * Runs each operation of a channel in the context that `enter` answers. A channel binds any store that can `run` a function with a value; this one hands it
 * to the context manager of the application, so that spans made within, by whatever library, are children of ours.
 */
function bindSpans(channel: Channel, enter: (traced: TraceContext) => Context): () => void {
  const store = {
    run: <R>(active: Context, run: () => R): R => context.with(active, run),
  } as unknown as Parameters<typeof channel.start.bindStore>[0]
  channel.start.bindStore(store, enter as never)
  return () => channel.start.unbindStore(store)
}

function startSpan(
  operation: Operation,
  traced: TraceContext,
  relation: 'child' | 'link',
  opened: WeakMap<TraceContext, Span>,
): Context {
  const convention = CONVENTIONS[operation.name] ?? INTERNAL
  const active = context.active()
  if (convention.quiet && trace.getSpan(active) === undefined) return active
  const { parent, links } =
    convention.messaging === 'process'
      ? origin(traced.item, active, relation)
      : { parent: active, links: [] }
  const span = trace
    .getTracer(NAME)
    .startSpan(
      spanName(operation, convention, traced.target),
      { kind: convention.kind, attributes: attributesOf(operation, convention, traced), links },
      parent,
    )
  opened.set(traced, span)
  return trace.setSpan(parent, span)
}

function spanName(operation: Operation, { messaging }: Convention, target: string): string {
  const named = operation.targetOf(target)
  if (operation.name === '@howdah/core:query') return named
  const verb =
    messaging === undefined ? `${operation.package} ${operation.operation}` : operation.operation
  return named === '' || messaging === undefined ? verb : `${verb} ${named}`
}

function attributesOf(
  operation: Operation,
  { messaging }: Convention,
  { target, count, item }: TraceContext,
): Attributes {
  const named = operation.targetOf(target)
  if (operation.name === '@howdah/core:query') {
    return { 'db.system.name': 'postgresql', 'db.query.summary': named }
  }
  const common = {
    'howdah.package': operation.package,
    'howdah.operation': operation.operation,
    ...targetAttribute(named),
  }
  if (messaging === undefined) return common
  const id = (item as { readonly id?: unknown } | null | undefined)?.id
  return {
    ...common,
    'messaging.system': 'howdah',
    'messaging.operation.name': operation.operation,
    'messaging.operation.type': messaging,
    'messaging.destination.name': target,
    ...(count === undefined || count === 1 ? {} : { 'messaging.batch.message_count': count }),
    ...(typeof id === 'string' ? { 'messaging.message.id': id } : {}),
  }
}

function targetAttribute(target: string): Attributes {
  return target === '' ? {} : { 'howdah.target': target }
}

/** Where a job's span goes on from: the span that added it. */
function origin(
  job: unknown,
  active: Context,
  relation: 'child' | 'link',
): { readonly parent: Context; readonly links: Link[] } {
  const carrier = (job as { readonly trace?: unknown } | null | undefined)?.trace
  if (typeof carrier !== 'object' || carrier === null)
    return { parent: trace.deleteSpan(active), links: [] }
  const remote = propagation.extract(ROOT_CONTEXT, carrier)
  const spanContext = trace.getSpanContext(remote)
  if (relation === 'child' || spanContext === undefined) return { parent: remote, links: [] }
  return { parent: ROOT_CONTEXT, links: [{ context: spanContext }] }
}

function endSpan(span: Span, traced: TraceContext, failed: boolean): void {
  if (failed) {
    const { error } = traced
    span.recordException(error instanceof Error ? error : String(error))
    span.setAttribute('error.type', errorCode(error))
    span.setStatus({ code: SpanStatusCode.ERROR })
  }
  span.end()
}

interface Resolved {
  readonly spans: boolean
  readonly metrics: boolean
  readonly ignore: ReadonlySet<string>
  readonly relation: 'child' | 'link'
}

function resolve(options: OpenTelemetryOptions): Resolved {
  const { spans = true, metrics: measures = true, ignore = [], relation = 'child' } = options
  const bad = (message: string) => new HowdahError('CORE_INVALID_OPTION', message)
  if (typeof spans !== 'boolean') throw bad('spans must be true or false.')
  if (typeof measures !== 'boolean') throw bad('metrics must be true or false.')
  if (!Array.isArray(ignore) || !ignore.every((name) => typeof name === 'string')) {
    throw bad("ignore must be an array of channels, such as '@howdah/queue:process'.")
  }
  if (relation !== 'child' && relation !== 'link') throw bad("relation must be 'child' or 'link'.")
  return Object.freeze({ spans, metrics: measures, ignore: new Set(ignore), relation })
}
