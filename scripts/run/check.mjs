import { join } from 'node:path'
import { build } from './build.mjs'
import { run, runNode } from './child.mjs'
import { runBuilt } from './commands.mjs'
import { CommandError } from './errors.mjs'
import { install } from './install.mjs'
import { interruption } from './interruption.mjs'
import { testsUnderLeastPrivilege } from './least-privilege.mjs'
import { Tarballs } from './tarballs.mjs'
import { runTests } from './test.mjs'
import { root } from './workspace.mjs'

/** The oldest PostgreSQL we support. */
const OLDEST_MAJOR = '15'

/** @typedef {import('./test.mjs').Counts} Counts */
/** @typedef {{ name: string, run: () => Promise<boolean | Counts> }} Gate */

/**
 * Runs every gate, or those named, going on after a failure. The last line counts tests one by one
 * and each other gate as one.
 *
 * @param {string[]} names
 */
export async function check(names) {
  await install()
  const tarballs = new Tarballs()
  try {
    const gates = selectGates(allGates(tarballs), names)
    const results = []
    for (const gate of gates) results.push(await pass(gate))
    return summarize(results)
  } finally {
    tarballs.remove()
  }
}

/** Checks the packages as they would be published. */
export function packed() {
  return check(['build', 'publint', 'attw', 'packed'])
}

/**
 * @param {Tarballs} tarballs
 * @returns {Gate[]}
 */
function allGates(tarballs) {
  /** @type {Promise<void> | undefined} */
  let building
  const built = () => {
    building ??= build()
    return building
  }
  return [
    { name: 'lint', run: () => succeeds(lint()) },
    { name: 'tree', run: () => succeeds(runNode(join(root, 'scripts/check-tree.mjs'), [])) },
    { name: 'typecheck', run: () => succeeds(run(bin('tsc'), ['--noEmit'])) },
    { name: 'scripts', run: () => succeeds(run(bin('tsc'), ['--project', 'scripts'])) },
    { name: 'build', run: () => built().then(() => true) },
    { name: 'publint', run: () => built().then(() => tarballs.publint()) },
    { name: 'attw', run: () => built().then(() => tarballs.attw()) },
    { name: 'packed', run: () => built().then(() => tarballs.consumed()) },
    { name: 'site', run: () => succeeds(site()) },
    { name: 'tests', run: () => tests() },
    { name: `tests-pg${OLDEST_MAJOR}`, run: () => tests({ HOWDAH_PG_MAJOR: OLDEST_MAJOR }) },
    { name: 'tests-least', run: testsUnderLeastPrivilege },
    { name: 'demo', run: () => succeeds(runBuilt('examples/offers', ['--smoke'])) },
    { name: 'bench', run: benchSmoke },
  ]
}

/**
 * @param {Gate[]} gates
 * @param {string[]} names
 */
function selectGates(gates, names) {
  const unknown = names.filter((name) => !gates.some((gate) => gate.name === name))
  if (unknown.length > 0) {
    const known = gates.map(({ name }) => name).join(', ')
    throw new CommandError(`There is no gate ${unknown.join(', ')}: the gates are ${known}.`)
  }
  return names.length === 0 ? gates : gates.filter(({ name }) => names.includes(name))
}

/** @param {Gate} gate */
async function pass(gate) {
  process.stdout.write(`\n== ${gate.name}\n`)
  const start = performance.now()
  let outcome
  try {
    outcome = await gate.run()
  } catch (error) {
    interruption.throwIfInterrupted()
    process.stdout.write(`${error instanceof CommandError ? error.message : error?.stack}\n`)
    outcome = false
  }
  const counts =
    typeof outcome === 'boolean'
      ? { passed: Number(outcome), failed: Number(!outcome), skipped: 0 }
      : outcome
  return { name: gate.name, counts, seconds: (performance.now() - start) / 1000 }
}

/** @param {{ name: string, counts: Counts, seconds: number }[]} results */
function summarize(results) {
  process.stdout.write('\n== summary\n')
  let passed = 0
  let failed = 0
  for (const { name, counts, seconds } of results) {
    passed += counts.passed
    failed += counts.failed
    const verdict = counts.failed === 0 ? 'ok  ' : 'FAIL'
    const detail = `${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`
    const tested = name.startsWith('tests') ? `  ${detail}` : ''
    process.stdout.write(
      `${verdict} ${name.padEnd(11)} ${seconds.toFixed(1).padStart(6)} s${tested}\n`,
    )
  }
  process.stdout.write(`${passed} passed, ${failed} failed\n`)
  return failed === 0 ? 0 : 1
}

/** Biome colours a log, too, unless it is told not to. */
function lint() {
  const plain = process.stdout.isTTY ? [] : ['--colors=off']
  return run(bin('biome'), ['ci', ...plain, '.'])
}

/** Fails for a link that leads nowhere. What it builds is in docs/.vitepress/dist. */
function site() {
  return runNode(join(root, 'node_modules/vitepress/bin/vitepress.js'), ['build', 'docs'])
}

/** @param {Record<string, string>} [env] */
async function tests(env) {
  const { code, counts } = await runTests([], env)
  return counts ?? code === 0
}

/** A short run, to see that the harness works and keeps its promise about the last line. */
async function benchSmoke() {
  let output = ''
  const { code } = await runBuilt('benchmarks', ['core', '--quick', '--json'], {
    onOutput: (text) => {
      output += text
    },
  })
  if (code !== 0) return false
  try {
    const { suite, figures } = JSON.parse(output.trim().split('\n').at(-1) ?? '')
    return suite === 'core' && Object.values(figures).every(Number.isFinite)
  } catch {
    process.stdout.write('The last line is not {"suite": ..., "figures": {...}}.\n')
    return false
  }
}

/** @param {Promise<{ code: number }>} running */
async function succeeds(running) {
  return (await running).code === 0
}

/** @param {string} name */
function bin(name) {
  return join(root, 'node_modules/.bin', name)
}
