import type { Statement } from '@howdah/core'

/** Rows of each synthetic backlog: enough for a plan that reads them all to be told from one that does not. */
export const BACKLOG = 5_000

/** Runs a statement in the transaction that is rolled back. */
export type Run = <Row>(statement: Statement<Row>) => Promise<Row[]>

/** Something a package does all the time, as one statement. */
export interface Operation {
  readonly name: string
  readonly statement: Statement
}

/** What is looked at in one package. */
export interface Probe {
  readonly package: string
  /** The tables that grow with the backlog; only what is read of them counts. */
  readonly tables: readonly string[]
  /** Makes the backlog and yields one operation after another; each has run before the next is asked for. */
  operations(run: Run, schema: string): AsyncGenerator<Operation, void, void>
}

/** A name that nothing of the application's has. */
export const NAME: string = `howdah doctor ${process.pid} ${Date.now().toString(36)}`

/** So many texts, each another. */
export function texts(count: number, text: (n: number) => string): string[] {
  return Array.from({ length: count }, (_, n) => text(n))
}
