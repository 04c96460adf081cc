import type { DoctorContext } from './context.js'

/** What a check learned that is as it should be, or nobody's fault. */
export interface Fact {
  readonly level: 'info'
  readonly what: string
}

/** What is wrong. An error breaks something now, or will without a further warning; a warning costs something. */
export interface Fault {
  readonly level: 'warning' | 'error'
  readonly what: string
  /** What follows from it. */
  readonly costs: string
  /** What to do, with the statement or setting where there is one. */
  readonly mend: string
}

export type Finding = Fact | Fault

/** One thing that `howdah doctor` looks at. */
export interface Check {
  readonly id: string
  readonly title: string
  run(context: DoctorContext): Promise<readonly Finding[]>
}

/** What one check found. */
export interface Report {
  readonly check: string
  readonly title: string
  readonly findings: readonly Finding[]
}

export function fact(what: string): Fact {
  return { level: 'info', what }
}
