// Runs the suite of `bentocache-suite.ts` in the runner it was written for; the last line says how it went.
import { assert } from '@japa/assert'
import { configure, run } from '@japa/runner'
import type { NamedReporterContract } from '@japa/runner/types'

/** What the last line of the output holds. */
export interface SuiteSummary {
  readonly total: number
  readonly passed: number
  readonly failures: readonly string[]
}

const summary: NamedReporterContract = {
  name: 'summary',
  handler(runner, emitter) {
    const failures: string[] = []
    emitter.on('test:end', ({ title, hasError, errors }) => {
      if (hasError) failures.push(`${title.expanded}: ${errors.map(({ error }) => error?.message)}`)
    })
    emitter.on('runner:end', () => {
      const { total, passed } = runner.getSummary().aggregates
      process.stdout.write(
        `${JSON.stringify({ total, passed, failures } satisfies SuiteSummary)}\n`,
      )
    })
  },
}

configure({
  files: () => [new URL('./bentocache-suite.ts', import.meta.url)],
  plugins: [assert()],
  reporters: { activated: [summary.name], list: [summary] },
})
await run()
