/**
 * Carries OpenTelemetry's context through the queue.
 *
 * @packageDocumentation
 */
import {
  type Context,
  context,
  type Link,
  propagation,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api'
import type { Job, TraceHeaders } from '../job.js'

/** Options of {@link openTelemetry}. */
export interface OpenTelemetryOptions {
  /** Name of the tracer that makes the spans. @defaultValue `'@howdah/queue'` */
  readonly tracer?: string | undefined
  /** Makes the handler's span a `'child'` of the span that added the job, or a trace of its own with a `'link'` to it. @defaultValue `'child'` */
  readonly relation?: 'child' | 'link' | undefined
}

/** What to spread into the options of a queue and into those of `work`. */
export interface OpenTelemetryHooks {
  readonly queue: { readonly trace: () => TraceHeaders | undefined }
  readonly work: { readonly around: <R>(job: Job<unknown>, run: () => R) => R }
}

/**
 * Answers the options that let a job carry the active span's W3C context from `add` to its handler, which runs in a consumer span.
 *
 * The application sets OpenTelemetry up: a context manager, and the W3C propagator, which its SDKs register by default.
 *
 * @example
 * ```ts
 * import { Queue } from '@howdah/queue'
 * import { openTelemetry } from '@howdah/queue/opentelemetry'
 * import { Pool } from 'pg'
 *
 * const otel = openTelemetry()
 * const mails = new Queue<{ to: string }>('mails', { pool: new Pool(), ...otel.queue })
 * mails.work(async (job) => job.payload.to, { ...otel.work })
 * await mails.close()
 * ```
 *
 * @see https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/
 */
export function openTelemetry(options: OpenTelemetryOptions = {}): OpenTelemetryHooks {
  const { tracer = '@howdah/queue', relation = 'child' } = options
  return {
    queue: { trace: activeTrace },
    work: {
      around: (job, run) => {
        const { parent, links } = origin(job, relation)
        const attributes = {
          'messaging.system': 'howdah',
          'messaging.destination.name': job.queue,
          'messaging.operation.type': 'process',
          'messaging.message.id': job.id,
        }
        return trace
          .getTracer(tracer)
          .startActiveSpan(
            `process ${job.queue}`,
            { kind: SpanKind.CONSUMER, attributes, links },
            parent,
            (span) => within(span, run),
          )
      },
    },
  }
}

function activeTrace(): TraceHeaders | undefined {
  const carrier: Record<string, string> = {}
  propagation.inject(context.active(), carrier)
  const { traceparent, tracestate } = carrier
  if (traceparent === undefined) return undefined
  return tracestate === undefined || tracestate === ''
    ? { traceparent }
    : { traceparent, tracestate }
}

function origin(
  job: Job<unknown>,
  relation: 'child' | 'link',
): { readonly parent: Context; readonly links: Link[] } {
  if (job.trace === undefined) return { parent: ROOT_CONTEXT, links: [] }
  const remote = propagation.extract(ROOT_CONTEXT, job.trace)
  const spanContext = trace.getSpanContext(remote)
  if (relation === 'child' || spanContext === undefined) return { parent: remote, links: [] }
  return { parent: ROOT_CONTEXT, links: [{ context: spanContext }] }
}

/** Ends the span with the handler, whether that answers a promise or not. */
function within<R>(span: Span, run: () => R): R {
  const failed = (error: unknown): never => {
    span.recordException(error instanceof Error ? error : String(error))
    span.setStatus({ code: SpanStatusCode.ERROR })
    span.end()
    throw error
  }
  let result: R
  try {
    result = run()
  } catch (error) {
    return failed(error)
  }
  if (result instanceof Promise) {
    return result.then((value) => {
      span.end()
      return value
    }, failed) as R
  }
  span.end()
  return result
}
