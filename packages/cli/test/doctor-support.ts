import { expect } from 'vitest'
import { json } from './support.js'

/** Something that the doctor found wrong. */
export interface Fault {
  readonly check: string
  readonly level: string
  readonly what: string
  readonly costs: string
  readonly mend: string
}

export interface Checked {
  readonly check: string
  readonly findings: readonly { readonly level: string; readonly what: string }[]
}

/** Runs the doctor and answers its exit code, what it found wrong, and all it said. */
export async function doctorOf(
  url: string,
  args: readonly string[],
): Promise<{ code: number; faults: Fault[]; checks: Checked[] }> {
  const { code, checks, error } = await json(['doctor', ...args], { DATABASE_URL: url })
  expect(error).toBeUndefined()
  const faults: Fault[] = []
  for (const { check, findings } of checks) {
    for (const finding of findings) {
      expect(finding.what).toMatch(/\S/)
      if (finding.level !== 'info') faults.push({ check, ...finding })
    }
  }
  for (const { costs, mend } of faults) {
    expect(costs).toMatch(/\w/)
    expect(mend).toMatch(/\w/)
  }
  return { code, faults, checks }
}
