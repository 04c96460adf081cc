import type { MetricFamily, MetricReader } from './metric-source.js'
import { labelSet, type WrittenFamily } from './open-metrics.js'

/** What one look at a source found: nothing where it did not answer in time, or failed. */
interface Look {
  readonly families: readonly MetricFamily[] | undefined
  readonly seconds: number
}

const NAME = /^[a-zA-Z_][a-zA-Z0-9_]*$/

/**
 * Looks at one source. A look that takes longer than it may is left alone, and the next one waits for the same answer: a database that is slow is never
 * asked twice at a time.
 */
export class Scrape {
  readonly #reader: MetricReader
  readonly #timeoutMs: number
  #reading: Promise<readonly MetricFamily[]> | undefined

  constructor(reader: MetricReader, timeoutMs: number) {
    this.#reader = reader
    this.#timeoutMs = timeoutMs
  }

  get labels(): Readonly<Record<string, string>> {
    return { package: this.#reader.package, source: this.#reader.name }
  }

  async look(): Promise<Look> {
    const before = performance.now()
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<undefined>((resolve) => {
      timer = setTimeout(resolve, this.#timeoutMs, undefined)
    })
    const families = await Promise.race([this.#read().catch(() => undefined), late])
    clearTimeout(timer)
    return { families, seconds: (performance.now() - before) / 1000 }
  }

  #read(): Promise<readonly MetricFamily[]> {
    this.#reading ??= this.#once().finally(() => {
      this.#reading = undefined
    })
    return this.#reading
  }

  async #once(): Promise<readonly MetricFamily[]> {
    const families = await this.#reader.read()
    const wrong = families.find(
      ({ name, samples }) =>
        !NAME.test(name) ||
        samples.some(({ labels = {} }) => Object.keys(labels).some((label) => !NAME.test(label))),
    )
    if (wrong !== undefined) throw new TypeError(`A metric cannot be called ${wrong.name}.`)
    return families
  }
}

/**
 * Puts together what sources found: one family for each name, without samples that say the same twice, that are no number, or that are more than may be.
 * Answers how many it left out.
 */
export function merge(
  found: readonly (readonly MetricFamily[])[],
  maxSeries: number,
): { readonly families: WrittenFamily[]; readonly leftOut: number } {
  const families = new Map<string, WrittenFamily & { samples: MetricFamily['samples'][number][] }>()
  const seen = new Set<string>()
  let leftOut = 0
  for (const family of found.flat()) {
    const { name, type, unit, help } = family
    let into = families.get(name)
    if (into === undefined) {
      into = { name, type, unit, help, samples: [] }
      families.set(name, into)
    }
    let taken = 0
    for (const sample of family.samples) {
      const key = `${name}${labelSet(sample.labels ?? {})}`
      const fits = into.type === type && (type !== 'counter' || sample.value >= 0)
      if (!fits || Number.isNaN(sample.value) || seen.has(key) || taken >= maxSeries) {
        leftOut++
        continue
      }
      taken++
      seen.add(key)
      into.samples.push(sample)
    }
  }
  return { families: [...families.values()], leftOut }
}
