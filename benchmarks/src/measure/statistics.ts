/** A middle value and how far the rounds lay apart. */
export interface Spread {
  readonly median: number
  readonly min: number
  readonly max: number
}

/** The middle value; between the two middle ones where the count is even. */
export function median(values: readonly number[]): number {
  if (values.length === 0) throw new Error('There is no median of nothing.')
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle] as number
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] as number) + upper) / 2
}

export function spread(values: readonly number[]): Spread {
  return { median: median(values), min: Math.min(...values), max: Math.max(...values) }
}

/** The smallest value that at least `share` of all values do not exceed. Takes them sorted. */
export function percentile(sorted: ArrayLike<number>, share: number): number {
  if (sorted.length === 0) throw new Error('There is no percentile of nothing.')
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] as number
}

/**
 * Divides round by round, then takes the middle: a disturbance of the machine that lasts longer than a round hits both sides
 * of a ratio and so cancels out.
 */
export function ratio(ours: readonly number[], theirs: readonly number[]): Spread {
  if (ours.length !== theirs.length) throw new Error('A ratio needs equally many rounds.')
  return spread(ours.map((value, round) => value / (theirs[round] as number)))
}
