import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/**
 * @typedef {object} Manifest
 * @property {string} name
 * @property {string} version
 * @property {boolean} [private]
 * @property {string} [packageManager]
 * @property {Record<string, string>} [bin]
 * @property {Record<string, unknown>} [exports]
 * @property {Record<string, string>} [dependencies]
 * @property {Record<string, string>} [devDependencies]
 * @property {Record<string, string>} [peerDependencies]
 * @property {Record<string, { optional?: boolean }>} [peerDependenciesMeta]
 */

/**
 * `needs` are siblings it cannot run without, `builtWith` those whose declarations its build reads.
 *
 * @typedef {{ name: string, folder: string, manifest: Manifest, needs: string[], builtWith: string[] }} Package
 */

/** The clone's folder. */
export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))))

/**
 * @param {string} folder
 * @returns {Manifest}
 */
export function readManifest(folder) {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
}

/** Folders, relative to the clone, of everything pnpm-workspace.yaml lists, and the root itself. */
export function workspaceFolders() {
  const nested = ['packages', 'examples'].flatMap((parent) =>
    existsSync(join(root, parent))
      ? readdirSync(join(root, parent), { withFileTypes: true })
          .filter((entry) => entry.isDirectory())
          .map((entry) => join(parent, entry.name))
          .sort()
      : [],
  )
  return ['.', ...nested, 'benchmarks'].filter((path) =>
    existsSync(join(root, path, 'package.json')),
  )
}

/**
 * The publishable packages, each after those it is built with.
 *
 * @returns {Package[]}
 */
export function packagesInOrder() {
  const folders = workspaceFolders().filter((path) => path.startsWith('packages'))
  const manifests = folders.map((folder) => ({
    folder,
    manifest: readManifest(join(root, folder)),
  }))
  const names = new Set(manifests.map(({ manifest }) => manifest.name))
  const packages = manifests.map(({ folder, manifest }) => ({
    name: manifest.name,
    folder: join(root, folder),
    manifest,
    needs: requiredBy(manifest).filter((name) => names.has(name)),
    builtWith: [...requiredBy(manifest), ...Object.keys(manifest.devDependencies ?? {})].filter(
      (name) => names.has(name),
    ),
  }))
  /** @type {Package[]} */
  const ordered = []
  const visit = (/** @type {Package} */ one, /** @type {string[]} */ path) => {
    if (ordered.includes(one)) return
    if (path.includes(one.name))
      throw new Error(`Packages depend in a circle: ${path.join(' > ')}.`)
    for (const name of one.builtWith) {
      const needed = packages.find((other) => other.name === name)
      if (needed) visit(needed, [...path, one.name])
    }
    ordered.push(one)
  }
  for (const one of packages) visit(one, [])
  return ordered
}

/**
 * Names of what a package cannot do without, be it brought along or asked for.
 *
 * @param {Manifest} manifest
 */
function requiredBy({ dependencies, peerDependencies, peerDependenciesMeta }) {
  const peers = Object.keys(peerDependencies ?? {})
  const required = peers.filter((name) => !peerDependenciesMeta?.[name]?.optional)
  return [...Object.keys(dependencies ?? {}), ...required]
}
