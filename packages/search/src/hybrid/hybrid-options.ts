import { searchError } from '../errors.js'

/** How far two vectors are apart: by their angle, their distance, or their negative inner product. */
export type VectorMetric = 'cosine' | 'l2' | 'inner'

/** A vector to rank by besides the words. */
export interface HybridOptions {
  /** The column of the application's table to compare with, of pgvector's type `vector` or `halfvec`. Rows without a vector are found by their words only. */
  readonly column: string
  /** What the query means, by the model that made the column's vectors. */
  readonly vector: readonly number[] | Float32Array
  /** As the index on the column has it. @defaultValue `'cosine'` */
  readonly metric?: VectorMetric | undefined
  /** How much a rank by the vector counts against one by the words, over 0 and at most 1000. @defaultValue `1` */
  readonly weight?: number | undefined
  /** How many of the best rows of each ranking go into the result, at most 1000. @defaultValue `100`, or as many as the page needs */
  readonly candidates?: number | undefined
}

/** {@link HybridOptions} checked. */
export interface ResolvedHybrid {
  readonly column: string
  readonly vector: readonly number[]
  readonly metric: VectorMetric
  readonly weight: number
  readonly candidates: number
}

const METRICS: readonly string[] = ['cosine', 'l2', 'inner']
/** More than pgvector's types take. */
const MAX_DIMENSIONS = 16_000
const MAX_CANDIDATES = 1000
const MAX_WEIGHT = 1000

/**
 * @param page - how many hits up to the end of the page
 * @throws {@link HowdahError} SEARCH_INVALID_QUERY
 */
export function resolveHybrid(options: HybridOptions, page: number): ResolvedHybrid {
  if (typeof options !== 'object' || options === null) {
    throw invalid('hybrid must be an object: { column, vector }.')
  }
  const { column, vector, metric = 'cosine', weight = 1 } = options
  const { candidates = Math.min(MAX_CANDIDATES, Math.max(100, page)) } = options
  if (typeof column !== 'string' || column.includes('\0')) {
    throw invalid('hybrid.column must be the name of a column.')
  }
  if (!METRICS.includes(metric)) throw invalid("hybrid.metric must be 'cosine', 'l2' or 'inner'.")
  if (typeof weight !== 'number' || !(weight > 0 && weight <= MAX_WEIGHT)) {
    throw invalid(`hybrid.weight must be a number over 0, at most ${MAX_WEIGHT}.`)
  }
  if (!Number.isSafeInteger(candidates) || candidates < 1 || candidates > MAX_CANDIDATES) {
    throw invalid(`hybrid.candidates must be a whole number from 1 to ${MAX_CANDIDATES}.`)
  }
  return { column, vector: numbers(vector, metric), metric, weight, candidates }
}

function numbers(vector: unknown, metric: VectorMetric): number[] {
  const isList = Array.isArray(vector) || vector instanceof Float32Array
  if (!isList || vector.length === 0 || vector.length > MAX_DIMENSIONS) {
    throw invalid(`hybrid.vector must be an array of 1 to ${MAX_DIMENSIONS} numbers.`)
  }
  const given: number[] = Array.from(vector)
  // pgvector keeps four bytes of each.
  const at = given.findIndex((one) => typeof one !== 'number' || !Number.isFinite(Math.fround(one)))
  if (at >= 0) {
    throw invalid(
      `hybrid.vector[${at}] must be a finite number of single precision. What made the vector has failed.`,
    )
  }
  if (metric === 'cosine' && given.every((one) => Math.fround(one) === 0)) {
    throw invalid(
      "A vector of zeros has no direction. Use hybrid.metric 'l2', or leave out hybrid.",
    )
  }
  return given
}

function invalid(message: string) {
  return searchError('SEARCH_INVALID_QUERY', message)
}
