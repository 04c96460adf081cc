import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { build } from './build.mjs'
import { runNode } from './child.mjs'
import { CommandError } from './errors.mjs'
import { install } from './install.mjs'
import { root } from './workspace.mjs'

/** @param {string[]} args */
export async function demo(args) {
  return (await runBuilt('examples/offers', args)).code
}

/** @param {string[]} args */
export async function bench(args) {
  return (await runBuilt('benchmarks', args)).code
}

/** @param {string[]} args */
export async function tryOut(args) {
  await install()
  return (await runNode('scripts/try.ts', args, { cwd: root, nodeArgs: ['--import', 'tsx'] })).code
}

/**
 * Runs a folder's src/main.ts against the packages as built, as an application would have them.
 *
 * @param {string} folder
 * @param {readonly string[]} args
 * @param {import('./child.mjs').ChildOptions} [options]
 */
export async function runBuilt(folder, args, options) {
  const cwd = join(root, folder)
  if (!existsSync(join(cwd, 'src/main.ts'))) {
    throw new CommandError(`There is no ${folder}/src/main.ts to run.`)
  }
  await install()
  await build()
  return runNode('src/main.ts', args, {
    ...options,
    cwd,
    nodeArgs: ['--enable-source-maps', '--import', 'tsx'],
    env: {
      // The root tsconfig.json maps @howdah/* to sources, for tests; tsx would follow it.
      TSX_TSCONFIG_PATH: join(root, 'scripts/run/tsconfig.built.json'),
    },
  })
}
