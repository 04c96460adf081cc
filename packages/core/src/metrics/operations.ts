import type { TraceContext } from '../trace.js'
import { errorCode } from './error-code.js'
import { followOperations, type Operation } from './follow-operations.js'
import { bound, type WrittenFamily, type WrittenSample } from './open-metrics.js'

/** What is known of one operation on one target. */
interface Series {
  readonly labels: Readonly<Record<string, string>>
  /** Durations by bucket, those above the last bound at the end. */
  readonly buckets: number[]
  seconds: number
  items: number
  readonly errors: Map<string, number>
}

const OTHER = 'other'
/** Codes of errors are a closed set, but a handler throws what it likes. */
const MAX_CODES = 30

/**
 * Counts and times the operations of all packages, from their tracing channels, until it is closed. A target beyond `maxSeries` of an operation counts as
 * `other`, so that memory and the answer stay bounded whatever names an application makes up.
 */
export class Operations {
  readonly #bounds: readonly number[]
  readonly #maxSeries: number
  readonly #series = new Map<string, Map<string, Series>>()
  readonly #stop: () => void

  constructor(bounds: readonly number[], maxSeries: number) {
    this.#bounds = bounds
    this.#maxSeries = maxSeries
    this.#stop = followOperations({
      onEnd: (operation, context, seconds) => this.#count(operation, context, seconds),
    })
  }

  families(): WrittenFamily[] {
    const all = [...this.#series.values()].flatMap((targets) => [...targets.values()])
    return [
      {
        name: 'howdah_operation_duration_seconds',
        type: 'histogram',
        unit: 'seconds',
        help: 'How long operations of this process took, those that failed included.',
        samples: all.flatMap((series) => this.#histogram(series)),
      },
      {
        name: 'howdah_operation_items',
        type: 'counter',
        help: 'Items that operations of this process carried, such as jobs added; an operation that failed carried none.',
        samples: all
          .filter(({ items }) => items > 0)
          .map(({ labels, items }) => ({ labels, value: items })),
      },
      {
        name: 'howdah_operation_errors',
        type: 'counter',
        help: 'Operations of this process that failed, by the code of the error.',
        samples: all.flatMap(({ labels, errors }) =>
          [...errors].map(([code, value]) => ({ labels: { ...labels, code }, value })),
        ),
      },
    ]
  }

  close(): void {
    this.#stop()
  }

  #count(operation: Operation, context: TraceContext, seconds: number): void {
    const series = this.#seriesOf(operation, context.target)
    const at = this.#bounds.findIndex((limit) => seconds <= limit)
    const bucket = at === -1 ? this.#bounds.length : at
    series.buckets[bucket] = (series.buckets[bucket] ?? 0) + 1
    series.seconds += seconds
    if (!('error' in context)) {
      series.items += context.count ?? 1
      return
    }
    let code = errorCode(context.error)
    if (!series.errors.has(code) && series.errors.size >= MAX_CODES) code = OTHER
    series.errors.set(code, (series.errors.get(code) ?? 0) + 1)
  }

  #seriesOf(operation: Operation, target: string): Series {
    let targets = this.#series.get(operation.name)
    if (targets === undefined) {
      targets = new Map()
      this.#series.set(operation.name, targets)
    }
    const named = operation.targetOf(target)
    const key = targets.has(named) || targets.size < this.#maxSeries ? named : OTHER
    let series = targets.get(key)
    if (series === undefined) {
      series = {
        labels: { package: operation.package, operation: operation.operation, target: key },
        buckets: Array.from({ length: this.#bounds.length + 1 }, () => 0),
        seconds: 0,
        items: 0,
        errors: new Map(),
      }
      targets.set(key, series)
    }
    return series
  }

  #histogram({ labels, buckets, seconds }: Series): WrittenSample[] {
    let count = 0
    const counted = buckets.map((n, at): WrittenSample => {
      count += n
      const le = bound(this.#bounds[at] ?? Number.POSITIVE_INFINITY)
      return { suffix: '_bucket', labels: { ...labels, le }, value: count }
    })
    return [
      ...counted,
      { suffix: '_count', labels, value: count },
      { suffix: '_sum', labels, value: seconds },
    ]
  }
}
