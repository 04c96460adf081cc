import type { MigrationStatus, MigrationStep } from '@howdah/core'
import { tone } from './colour.js'

/** Prints a result: as one line of JSON, or as text for people. */
export function show(json: boolean | undefined, value: unknown, text: () => string): void {
  process.stdout.write(json === true ? `${JSON.stringify(value)}\n` : text())
}

/** Lists steps under a heading, or says that there are none. */
export function stepList(heading: string, steps: readonly MigrationStep[], none: string): string {
  if (steps.length === 0) return `${none}\n`
  return lines([
    `${heading}:`,
    ...steps.map(({ package: owner, version, name }) => `  ${owner} ${version} ${name}`),
  ])
}

/** Describes packages and their steps. */
export function statusTable(packages: readonly MigrationStatus[]): string {
  return lines(
    packages.flatMap(({ package: owner, state, current, latest, steps }) => [
      `${owner}: ${state} (version ${current} of ${latest})`,
      ...steps.map(({ version, name, appliedAt }) => {
        const when = appliedAt === undefined ? 'missing' : new Date(appliedAt).toISOString()
        return `  ${version} ${name}  ${when}`
      }),
    ]),
  )
}

export function lines(texts: readonly string[]): string {
  return texts.map((text) => `${text}\n`).join('')
}

/** What stands in a cell; numbers go to the right. */
export type Cell = string | number | null | undefined

/** Rows under headings, in columns; only the `none` where there are no rows. */
export function table(
  headings: readonly string[],
  rows: readonly (readonly Cell[])[],
  none: string,
): string {
  if (rows.length === 0) return `${none}\n`
  const cells = rows.map((row) => row.map((cell) => ({ text: plain(cell), right: isNumber(cell) })))
  const widths = headings.map((heading, at) =>
    Math.max(heading.length, ...cells.map((row) => row[at]?.text.length ?? 0)),
  )
  const line = (row: readonly { text: string; right: boolean }[]) =>
    row
      .map(({ text, right }, at) =>
        right ? text.padStart(widths[at] ?? 0) : text.padEnd(widths[at] ?? 0),
      )
      .join('  ')
      .trimEnd()
  const heads = headings.map((text, at) => ({
    text,
    right: cells.every((row) => row[at]?.right === true || row[at]?.text === ''),
  }))
  return lines([tone('quiet', line(heads)), ...cells.map(line)])
}

/** Names and values, a line each. */
export function properties(pairs: readonly (readonly [name: string, value: Cell])[]): string {
  const width = Math.max(...pairs.map(([name]) => name.length))
  return lines(
    pairs.map(([name, value]) => `${tone('quiet', name.padEnd(width))}  ${plain(value)}`),
  )
}

/** Text as it is safe to print: what would move the cursor or colour the terminal is written out. */
export function plain(value: Cell): string {
  return String(value ?? '').replaceAll(/\p{Cc}|\p{Cf}|\p{Cs}/gu, (character) => {
    const code = character.codePointAt(0) ?? 0
    return `\\u${code.toString(16).padStart(4, '0')}`
  })
}

/** A value as one line of JSON, cut where it is long. */
export function brief(value: unknown, most = 80): string {
  const text = value === undefined ? '' : JSON.stringify(value)
  return text.length <= most ? text : `${text.slice(0, most - 1)}…`
}

/** A time as people read it; nothing for none. */
export function time(at: Date | number | null | undefined): string {
  return at === null || at === undefined ? '' : new Date(at).toISOString()
}

/** A stretch of time in its two largest units. */
export function duration(ms: number | null | undefined): string {
  if (ms === null || ms === undefined) return ''
  if (ms < 1000) return `${Math.round(ms)}ms`
  const s = Math.floor(ms / 1000)
  if (s < 60) return `${s}s`
  if (s < 3600) return `${Math.floor(s / 60)}m${s % 60}s`
  if (s < 86_400) return `${Math.floor(s / 3600)}h${Math.floor((s % 3600) / 60)}m`
  return `${Math.floor(s / 86_400)}d${Math.floor((s % 86_400) / 3600)}h`
}

/** Bytes in the unit that keeps them short. */
export function size(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB']
  let unit = 0
  let value = bytes
  for (; value >= 1000 && unit < units.length - 1; unit++) value /= 1000
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`
}

/** A number that may be an estimate. */
export function about(value: number, estimated: boolean): Cell {
  return estimated ? `~${Math.round(value)}` : value
}

function isNumber(cell: Cell): boolean {
  return typeof cell === 'number' || (typeof cell === 'string' && /^~?\d+$/.test(cell))
}
