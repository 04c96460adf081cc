import type { MigrationStatus, MigrationStep } from '@howdah/core'

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

function lines(texts: readonly string[]): string {
  return texts.map((text) => `${text}\n`).join('')
}
