import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { runNode } from './child.mjs'
import { CommandError } from './errors.mjs'
import { withLock } from './lock.mjs'
import { slots } from './slots.mjs'
import { hashOf, readStamp, removeStamp, writeStamp } from './stamp.mjs'
import { packagesInOrder, root } from './workspace.mjs'

/** @typedef {import('./workspace.mjs').Package} Package */

/** Builds the packages whose sources, or whose dependencies' sources, changed since their last build. */
export async function build() {
  if (stalePackages().length === 0) return
  await withLock(async () => {
    const stale = stalePackages()
    const hashes = wantedHashes()
    /** @type {Map<string, Promise<void>>} */
    const builds = new Map()
    const limit = slots()
    // In dependency order, so the builds a package waits for are in the map before it.
    for (const one of stale) {
      const needed = one.builtWith.map((name) => builds.get(name))
      builds.set(
        one.name,
        Promise.all(needed).then(() => limit(() => buildPackage(one, hashes.get(one.name) ?? ''))),
      )
    }
    // Every build ends before the lock is given up, also when one fails.
    const results = await Promise.allSettled(builds.values())
    const reasons = results.flatMap((one) => (one.status === 'rejected' ? [one.reason] : []))
    const unexpected = reasons.find((reason) => !(reason instanceof CommandError))
    if (unexpected) throw unexpected
    // A package that waited for a broken one fails with the same error.
    if (reasons.length > 0)
      throw new CommandError([...new Set(reasons)].map(({ message }) => message).join('\n'))
  })
}

/**
 * @param {Package} one
 * @param {string} hash
 */
async function buildPackage(one, hash) {
  const stamp = stampName(one)
  removeStamp(stamp)
  process.stderr.write(`Building ${one.name}.\n`)
  const tsup = join(root, 'node_modules/tsup/dist/cli-default.js')
  const { code, output } = await runNode(tsup, ['--silent'], { cwd: one.folder, capture: true })
  if (code !== 0) throw new CommandError(`Could not build ${one.name}.\n${output}`)
  writeStamp(stamp, hash)
}

/** @returns {Package[]} */
function stalePackages() {
  const hashes = wantedHashes()
  return packagesInOrder().filter(
    (one) =>
      readStamp(stampName(one)) !== hashes.get(one.name) ||
      !existsSync(join(one.folder, 'dist/index.js')),
  )
}

/** A hash for each package of everything its build reads. */
function wantedHashes() {
  /** @type {Map<string, string>} */
  const hashes = new Map()
  const shared = ['scripts/tsup.ts', 'tsconfig.json', 'pnpm-lock.yaml'].map((name) =>
    join(root, name),
  )
  for (const one of packagesInOrder()) {
    const own = ['src', 'package.json', 'tsup.config.ts'].map((name) => join(one.folder, name))
    const needed = one.builtWith.map((name) => hashes.get(name) ?? '')
    hashes.set(one.name, hashOf([...own, ...shared], needed))
  }
  return hashes
}

/** @param {Package} one */
function stampName(one) {
  return `build-${one.name.replace('/', '-')}`
}
