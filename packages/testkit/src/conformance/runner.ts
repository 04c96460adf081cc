/**
 * The two functions of a test runner that a conformance suite needs; those of vitest, jest, mocha and `node:test` fit.
 */
export interface ConformanceRunner {
  describe(name: string, body: () => void): unknown
  it(name: string, body: () => Promise<void>): unknown
}

/** What one test of a suite works on, made anew for each and disposed of at its end. */
export interface Subject<T> {
  readonly subject: T
  /** Frees what the factory took. */
  dispose?(): Promise<void> | void
}

/** Returns an `it` that makes a subject, hands it to the test, and disposes of it however the test ends. */
export function withSubject<T>(
  runner: ConformanceRunner,
  make: () => Promise<Subject<T>> | Subject<T>,
): (name: string, body: (subject: T) => Promise<void>) => void {
  return (name, body) => {
    runner.it(name, async () => {
      const made = await make()
      try {
        await body(made.subject)
      } finally {
        await made.dispose?.()
      }
    })
  }
}
