import { existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { run, runNode } from './child.mjs'
import { CommandError } from './errors.mjs'
import { root } from './workspace.mjs'

/** @typedef {import('./tarballs.mjs').Packed} Packed */

/**
 * Installs a packed package into an empty project and uses it as a stranger would: first without its
 * optional peers (the root entry must work), then with them (every entry must).
 *
 * @param {Packed} one
 * @param {Map<string, Packed>} all
 * @param {string} project An absent folder outside the workspace.
 */
export async function consume(one, all, project) {
  mkdirSync(project, { recursive: true })
  writeFileSync(join(project, 'package.json'), '{ "private": true, "type": "module" }\n')
  await installTarballs(one, all, project)
  link(project, one, '@types/node')

  const peers = Object.keys(one.manifest.peerDependencies ?? {}).filter((name) => !all.has(name))
  const optional = peers.filter((name) => one.manifest.peerDependenciesMeta?.[name]?.optional)
  for (const name of peers) if (!optional.includes(name)) linkPeer(project, one, name)

  await load(project, [one.name])
  await compile(project, [one.name])
  for (const name of Object.keys(one.manifest.bin ?? {})) await help(project, name)

  if (optional.length === 0) return
  for (const name of optional) linkPeer(project, one, name)
  const entries = Object.keys(one.manifest.exports ?? {})
    .filter((path) => path !== './package.json')
    .map((path) => one.name + path.slice(1))
  await load(project, entries)
  await compile(project, entries)
}

/**
 * @param {Packed} one
 * @param {Map<string, Packed>} all
 * @param {string} project
 */
async function installTarballs(one, all, project) {
  const tarballs = new Set([one.tarball])
  const add = (/** @type {Packed} */ { needs }) => {
    for (const name of needs) {
      const needed = all.get(name)
      if (needed === undefined || tarballs.has(needed.tarball)) continue
      tarballs.add(needed.tarball)
      add(needed)
    }
  }
  add(one)
  const flags =
    '--prefer-offline --omit=optional --legacy-peer-deps --ignore-scripts --no-package-lock'
  const args = ['install', ...flags.split(' '), '--no-audit', '--no-fund', '--prefix', project]
  const { code, output } = await run('npm', [...args, ...tarballs], { cwd: project, capture: true })
  if (code !== 0) throw new CommandError(`npm install failed:\n${output}`)
}

/**
 * Imports and requires each entry; both must give the same names, and some.
 *
 * @param {string} project
 * @param {readonly string[]} entries
 */
async function load(project, entries) {
  for (const entry of entries) {
    const quoted = JSON.stringify(entry)
    const esm = await exportedNames(project, 'module', `await import(${quoted})`)
    const cjs = await exportedNames(project, 'commonjs', `require(${quoted})`)
    if (esm === '[]') throw new CommandError(`${entry} exports nothing.`)
    if (esm !== cjs)
      throw new CommandError(`${entry} differs: import gives ${esm}, require ${cjs}.`)
  }
}

/**
 * @param {string} project
 * @param {'module' | 'commonjs'} type
 * @param {string} expression
 */
async function exportedNames(project, type, expression) {
  const source = `process.stdout.write(JSON.stringify(Object.keys(${expression}).sort()))`
  const { code, output } = await run(process.execPath, [`--input-type=${type}`, '-e', source], {
    cwd: project,
    capture: true,
  })
  if (code !== 0) throw new CommandError(`${expression} failed:\n${output}`)
  return output
}

/**
 * @param {string} project
 * @param {string} command
 */
async function help(project, command) {
  const path = join(project, 'node_modules/.bin', command)
  const { code, output } = await run(path, ['--help'], { cwd: project, capture: true })
  if (code !== 0) throw new CommandError(`${command} --help failed:\n${output}`)
}

/**
 * Compiles files that import each entry, with libraries' own declarations checked too.
 *
 * @param {string} project
 * @param {readonly string[]} entries
 */
async function compile(project, entries) {
  const imports = entries.map((entry, n) => `import * as entry${n} from '${entry}'\n`)
  const source = `${imports.join('')}export const all = [${entries.map((_, n) => `entry${n}`)}]\n`
  for (const file of ['index.mts', 'index.cts']) writeFileSync(join(project, file), source)
  const compilerOptions = {
    target: 'es2022',
    lib: ['es2022'],
    module: 'nodenext',
    strict: true,
    exactOptionalPropertyTypes: true,
    skipLibCheck: false,
    noEmit: true,
    types: ['node'],
  }
  const config = { compilerOptions, files: ['index.mts', 'index.cts'] }
  writeFileSync(join(project, 'tsconfig.json'), JSON.stringify(config))
  const tsc = join(root, 'node_modules/typescript/bin/tsc')
  const { code, output } = await runNode(tsc, ['-p', project], { cwd: project, capture: true })
  if (code !== 0)
    throw new CommandError(`The types of ${entries.join(', ')} do not compile:\n${output}`)
}

/**
 * Gives the project a peer and, where they are a package of their own, its types. What this workspace
 * does not have is left out: an entry that needs it fails and names it.
 *
 * @param {string} project
 * @param {Packed} one
 * @param {string} name
 */
function linkPeer(project, one, name) {
  link(project, one, name)
  link(project, one, `@types/${name.replace('@', '').replace('/', '__')}`)
}

/**
 * Gives the project a dependency as this workspace has it, which needs no network.
 *
 * @param {string} project
 * @param {Packed} one
 * @param {string} name
 */
function link(project, one, name) {
  const target = [one.folder, root]
    .map((folder) => join(folder, 'node_modules', name))
    .find((path) => existsSync(path))
  const path = join(project, 'node_modules', name)
  if (target === undefined || existsSync(path)) return
  mkdirSync(dirname(path), { recursive: true })
  symlinkSync(target, path, 'dir')
}
