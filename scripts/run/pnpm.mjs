import { run } from './child.mjs'
import { CommandError } from './errors.mjs'
import { readManifest, root } from './workspace.mjs'

/** @typedef {{ command: string, first: string[], env?: Record<string, string> }} Pnpm */

/**
 * The one on the PATH, kept from turning itself into the pinned version, for which it would need the
 * network.
 *
 * @type {Pnpm}
 */
const onPath = {
  command: 'pnpm',
  first: [],
  env: { npm_config_manage_package_manager_versions: 'false' },
}

/** @type {Promise<Pnpm> | undefined} */
let found

/**
 * Runs the pinned pnpm: the one on the PATH if it is that version, else through npx.
 *
 * @param {readonly string[]} args
 * @param {import('./child.mjs').ChildOptions} [options]
 */
export async function pnpm(args, options) {
  found ??= findPnpm()
  const { command, first, env } = await found
  return run(command, [...first, ...args], { ...options, env: { ...env, ...options?.env } })
}

/** @returns {Promise<Pnpm>} */
async function findPnpm() {
  const pinned = pinnedVersion()
  try {
    const { output } = await run('pnpm', ['--version'], { capture: true, env: onPath.env })
    if (output.trim() === pinned) return onPath
  } catch (error) {
    if (!(error instanceof CommandError)) throw error
  }
  return { command: 'npx', first: ['-y', `pnpm@${pinned}`] }
}

function pinnedVersion() {
  const match = /^pnpm@(\d+\.\d+\.\d+)/.exec(readManifest(root).packageManager ?? '')
  if (match?.[1] === undefined)
    throw new CommandError('package.json must pin pnpm in "packageManager".')
  return match[1]
}
