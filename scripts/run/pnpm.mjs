import { run } from './child.mjs'
import { CommandError } from './errors.mjs'
import { readManifest, root } from './workspace.mjs'

/** Keeps a pnpm on the PATH from turning itself into the pinned version, which would need the network. */
const env = { npm_config_manage_package_manager_versions: 'false' }

/** @type {Promise<readonly string[]> | undefined} */
let found

/**
 * Runs the pinned pnpm: the one on the PATH if it is that version, else through npx.
 *
 * @param {readonly string[]} args
 * @param {import('./child.mjs').ChildOptions} [options]
 */
export async function pnpm(args, options) {
  found ??= findPnpm()
  const [command = '', ...first] = await found
  return run(command, [...first, ...args], { ...options, env: { ...env, ...options?.env } })
}

/** @returns {Promise<readonly string[]>} */
async function findPnpm() {
  const pinned = pinnedVersion()
  try {
    const { output } = await run('pnpm', ['--version'], { capture: true, env })
    if (output.trim() === pinned) return ['pnpm']
  } catch (error) {
    if (!(error instanceof CommandError)) throw error
  }
  return ['npx', '-y', `pnpm@${pinned}`]
}

function pinnedVersion() {
  const match = /^pnpm@(\d+\.\d+\.\d+)/.exec(readManifest(root).packageManager ?? '')
  if (match?.[1] === undefined)
    throw new CommandError('package.json must pin pnpm in "packageManager".')
  return match[1]
}
