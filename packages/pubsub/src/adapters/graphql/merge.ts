/**
 * Several sources as one.
 *
 * Invariants
 * - Each source is asked for its next value only after its last was taken: a reader that is slow makes them wait, and none is starved.
 * - The failure of one ends all, after what came before it.
 */
export async function* merge<T>(
  sources: readonly AsyncIterable<T>[],
): AsyncGenerator<T, void, void> {
  const [only] = sources
  if (only !== undefined && sources.length === 1) {
    yield* only
    return
  }
  const offers: { readonly value: T; taken(): void }[] = []
  let current: (typeof offers)[number] | undefined
  let running = sources.length
  let failure: { readonly error: unknown } | undefined
  let over = false
  let wake: () => void = () => {}
  const pump = async (source: AsyncIterable<T>): Promise<void> => {
    try {
      for await (const value of source) {
        await new Promise<void>((taken) => {
          offers.push({ value, taken })
          wake()
        })
        if (over) return
      }
    } catch (error) {
      failure ??= { error }
    } finally {
      running--
      wake()
    }
  }
  const pumps = sources.map(pump)
  try {
    for (;;) {
      current = offers.shift()
      if (current !== undefined) {
        yield current.value
        current.taken()
        continue
      }
      if (failure !== undefined) throw failure.error
      if (running === 0) return
      await new Promise<void>((resolve) => {
        wake = resolve
      })
    }
  } finally {
    // Those that wait to be taken, and the one on which the reader left, end here; those that wait for a value end with their source.
    over = true
    current?.taken()
    for (const { taken } of offers) taken()
    void Promise.all(pumps)
  }
}
