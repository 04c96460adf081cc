import { appendFileSync, existsSync, readFileSync, rmSync } from 'node:fs'

const FILE_VARIABLE = 'HOWDAH_NOT_TESTED_FILE'

/** Notes something this run could not test, for the summary at its end. To be called where the test is skipped. */
export function notTested(what: string, why: string): void {
  const file = process.env[FILE_VARIABLE]
  if (file !== undefined) appendFileSync(file, `${what}: ${why}\n`)
}

/** Starts collecting notes in `file`, for this process and those it starts. */
export function collectNotTested(file: string): void {
  process.env[FILE_VARIABLE] = file
}

/** Returns each note once and forgets them. */
export function takeNotTested(): string[] {
  const file = process.env[FILE_VARIABLE]
  delete process.env[FILE_VARIABLE]
  if (file === undefined || !existsSync(file)) return []
  const lines = readFileSync(file, 'utf8').split('\n').filter(Boolean)
  rmSync(file)
  return [...new Set(lines)].sort()
}
