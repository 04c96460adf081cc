/**
 * How many letters must be added, left out, replaced or swapped with their neighbour to make one word of another, where no letter is
 * edited twice; `max + 1` where it is more than `max`.
 *
 * @see L. Boytsov, "Indexing methods for approximate dictionary searching", 2011, for the optimal string alignment distance
 */
export function editDistance(one: string, other: string, max: number): number {
  const a = [...one]
  const b = [...other]
  if (Math.abs(a.length - b.length) > max) return max + 1
  let beforeLast: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, at) => at)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    let least = i
    for (let j = 1; j <= b.length; j++) {
      const replaced = number(last[j - 1]) + (a[i - 1] === b[j - 1] ? 0 : 1)
      let steps = Math.min(replaced, number(last[j]) + 1, number(row[j - 1]) + 1)
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        steps = Math.min(steps, number(beforeLast[j - 2]) + 1)
      }
      row.push(steps)
      least = Math.min(least, steps)
    }
    // A swap reaches back two rows, but from there no smaller than from here.
    if (least > max) return max + 1
    beforeLast = last
    last = row
  }
  return Math.min(number(last[b.length]), max + 1)
}

function number(value: number | undefined): number {
  return value ?? Number.POSITIVE_INFINITY
}
