import { chownSync, cpSync } from 'node:fs'
import { basename, join } from 'node:path'
import { testkitError } from '../errors.js'
import type { User } from '../process/user.js'
import type { RunResult, Watchdog } from '../process/watchdog.js'
import type { Command } from '../process/watchdog-main.js'
import { type Binaries, restoreLinks } from './binaries.js'

/** Runs PostgreSQL's programs: as the right user, with a plain environment, under the watchdog. */
export class Host {
  readonly watchdog: Watchdog
  readonly user: User | undefined
  readonly folder: string

  constructor(watchdog: Watchdog, user: User | undefined, folder: string) {
    this.watchdog = watchdog
    this.user = user
    this.folder = folder
  }

  command(file: string, args: readonly string[]): Command {
    const { PATH = '', SystemRoot } = process.env
    const env: Record<string, string> = { PATH, LC_ALL: 'C', TZ: 'UTC' }
    if (SystemRoot !== undefined) env['SystemRoot'] = SystemRoot
    return { file, args, env, cwd: this.folder, ...this.user }
  }

  /** Runs one of the programs to its end, on the data in `data` when given. */
  run(
    file: string,
    args: readonly string[],
    { data, input }: { data?: string | undefined; input?: string | undefined } = {},
  ): Promise<RunResult> {
    const pidFile = data && join(data, 'postmaster.pid')
    return this.watchdog.run({ ...this.command(file, args), pidFile }, input)
  }

  async version(postgres: string): Promise<string | undefined> {
    const result = await this.run(postgres, ['--version']).catch(() => undefined)
    return result?.exitCode === 0 ? result.output : undefined
  }

  give(path: string): void {
    if (this.user !== undefined) chownSync(path, this.user.uid, this.user.gid)
  }
}

/** Copies the binaries for this run where they are when the server's user cannot start them there. */
export async function usable(binaries: Binaries, host: Host): Promise<Binaries> {
  const { root } = binaries
  if (root === undefined) return binaries
  if (restoreLinks(root) && (await host.version(binaries.postgres)) !== undefined) return binaries
  const copy = join(host.folder, 'native')
  cpSync(root, copy, { recursive: true, verbatimSymlinks: true })
  restoreLinks(copy)
  const moved = (path: string): string => join(copy, 'bin', basename(path))
  const there = { ...binaries, initdb: moved(binaries.initdb), postgres: moved(binaries.postgres) }
  if ((await host.version(there.postgres)) === undefined) {
    throw testkitError(
      'TESTKIT_NO_BINARIES',
      `The PostgreSQL programs in ${root} do not run on this machine; install PostgreSQL and point HOWDAH_PG_BIN_DIR at the folder with initdb and postgres.`,
    )
  }
  return there
}
