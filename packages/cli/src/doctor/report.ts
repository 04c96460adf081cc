import { type Tone, tone } from '../colour.js'
import { plain } from '../output.js'
import type { Finding, Report } from './check.js'

const MARKS: Record<Finding['level'], { readonly mark: string; readonly colour: Tone }> = {
  info: { mark: 'ok     ', colour: 'good' },
  warning: { mark: 'warning', colour: 'doubtful' },
  error: { mark: 'error  ', colour: 'bad' },
}

/** How many faults there are. */
export function tally(reports: readonly Report[]): {
  readonly errors: number
  readonly warnings: number
} {
  const levels = reports.flatMap(({ findings }) => findings.map(({ level }) => level))
  const count = (wanted: string) => levels.filter((level) => level === wanted).length
  return { errors: count('error'), warnings: count('warning') }
}

/** Tells people what was found. */
export function reportText(reports: readonly Report[]): string {
  const { errors, warnings } = tally(reports)
  const summary =
    errors + warnings === 0
      ? tone('good', 'Nothing is wrong.')
      : `${tone(errors > 0 ? 'bad' : 'doubtful', `${errors} errors, ${warnings} warnings.`)}`
  return `${reports.map(section).join('')}\n${summary}\n`
}

function section({ check, title, findings }: Report): string {
  const heading = `${tone('loud', title)} ${tone('quiet', `(${check})`)}\n`
  return heading + findings.map(paragraph).join('')
}

function paragraph(finding: Finding): string {
  const { mark, colour } = MARKS[finding.level]
  // What other sessions call themselves is theirs to choose.
  const lines = [`  ${tone(colour, mark)} ${plain(finding.what)}`]
  if (finding.level !== 'info') {
    lines.push(
      `          costs: ${plain(finding.costs)}`,
      `          mend:  ${plain(finding.mend)}`,
    )
  }
  return `${lines.join('\n')}\n`
}
