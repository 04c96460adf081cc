import { describeError } from '../errors.js'
import type { Check, Finding, Report } from './check.js'
import type { DoctorContext } from './context.js'

/** Runs checks one after another. One that fails is a finding, and the others go on. */
export async function runChecks(
  checks: readonly Check[],
  context: DoctorContext,
): Promise<readonly Report[]> {
  const reports: Report[] = []
  for (const { id, title, run } of checks) {
    const findings = await run(context).catch((error) => [failed(error)])
    reports.push({ check: id, title, findings })
  }
  return reports
}

function failed(error: unknown): Finding {
  const { code, message } = describeError(error)
  return {
    level: 'error',
    what: `This could not be looked at: ${code === undefined ? '' : `${code}: `}${message}`,
    costs: 'Whatever is wrong here stays unknown.',
    mend: 'Give the role the right that is missing, or run the doctor as one that has it.',
  }
}
