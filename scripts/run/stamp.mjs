import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { root } from './workspace.mjs'

// A stamp is a file under node_modules that holds the hash of what a finished step was made from.
// It is removed before the step starts and written after it ends, so a step that was cut short runs
// again. `git clean` and `rm -rf node_modules` take it away with what it vouches for.

/** @param {string} name */
const stampPath = (name) => join(root, 'node_modules', '.howdah', name)

/** @param {string} name */
export function readStamp(name) {
  try {
    return readFileSync(stampPath(name), 'utf8')
  } catch {
    return undefined
  }
}

/** @param {string} name */
export function removeStamp(name) {
  rmSync(stampPath(name), { force: true })
}

/**
 * @param {string} name
 * @param {string} hash
 */
export function writeStamp(name, hash) {
  mkdirSync(dirname(stampPath(name)), { recursive: true })
  writeFileSync(stampPath(name), hash)
}

/**
 * A hash of files (folders are walked; missing ones count as missing) and of `extra` strings.
 *
 * @param {readonly string[]} paths Absolute.
 * @param {readonly string[]} [extra]
 */
export function hashOf(paths, extra = []) {
  const hash = createHash('sha256')
  for (const path of paths.flatMap(filesUnder)) {
    hash.update(`\0${relative(root, path)}\0`).update(readFileSync(path))
  }
  for (const text of extra) hash.update(`\0${text}`)
  return hash.digest('hex')
}

/**
 * @param {string} path
 * @returns {string[]}
 */
function filesUnder(path) {
  const stats = statSync(path, { throwIfNoEntry: false })
  if (stats === undefined) return []
  if (!stats.isDirectory()) return [path]
  return readdirSync(path)
    .sort()
    .flatMap((name) => filesUnder(join(path, name)))
}
