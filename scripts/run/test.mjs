import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { runNode } from './child.mjs'
import { install } from './install.mjs'
import { root } from './workspace.mjs'

/**
 * `failures` has a few lines for each test that failed.
 *
 * @typedef {{ passed: number, failed: number, skipped: number, failures?: string[] }} Counts
 * @typedef {{ status: string, fullName: string, failureMessages?: string[] }} Assertion
 * @typedef {{ status: string, name: string, message?: string, assertionResults: Assertion[] }} TestFile
 */

/** @param {string[]} args */
export async function test(args) {
  const { code, counts } = await runTests(args)
  if (counts) process.stdout.write(`${lastLine(counts)}\n`)
  return code
}

/**
 * Runs vitest and counts its results from its own report.
 *
 * @param {string[]} args
 * @param {Record<string, string>} [env]
 * @returns {Promise<{ code: number, counts: Counts | undefined }>}
 */
export async function runTests(args, env) {
  await install()
  const folder = mkdtempSync(join(tmpdir(), 'howdah-report-'))
  const report = join(folder, 'report.json')
  try {
    const { code } = await runNode(
      join(root, 'node_modules/vitest/vitest.mjs'),
      ['run', ...reporters(args), '--reporter=json', `--outputFile.json=${report}`, ...args],
      { env },
    )
    return { code, counts: count(report, code) }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/**
 * Vitest's usual reporters, which naming the JSON one switches off, unless the caller names others.
 *
 * @param {string[]} args
 */
function reporters(args) {
  if (args.some((arg) => arg.startsWith('--reporter'))) return []
  return process.env.GITHUB_ACTIONS
    ? ['--reporter=default', '--reporter=github-actions']
    : ['--reporter=default']
}

/**
 * @param {string} path
 * @param {number} code
 * @returns {Counts | undefined}
 */
function count(path, code) {
  const report = read(path)
  if (report === undefined) return code === 0 ? undefined : { passed: 0, failed: 1, skipped: 0 }
  // A file that could not be loaded has no tests to count, and is a failure all the same.
  const broken = report.testResults.filter(
    (file) =>
      file.status === 'failed' && !file.assertionResults.some(({ status }) => status === 'failed'),
  )
  const failed = report.numFailedTests + broken.length
  return {
    passed: report.numPassedTests,
    // An error outside every test, or no test at all, shows only in the exit code.
    failed: failed === 0 && code !== 0 ? 1 : failed,
    skipped: report.numPendingTests + report.numTodoTests,
    failures: [
      ...report.testResults.flatMap(failuresOf),
      ...broken.map((file) => describe(file.name, 'the whole file', [file.message ?? ''])),
    ],
  }
}

/** Lines of a message that are shown again in the summary; all of it stands where the test ran. */
const SHOWN_LINES = 12

/** @param {TestFile} file */
function failuresOf({ name, assertionResults }) {
  return assertionResults
    .filter(({ status }) => status === 'failed')
    .map(({ fullName, failureMessages = [] }) => describe(name, fullName, failureMessages))
}

/**
 * @param {string} file
 * @param {string} test
 * @param {string[]} messages
 */
function describe(file, test, messages) {
  const lines = messages.join('\n').split('\n')
  const shown = lines.filter((line) => !line.includes('node_modules')).slice(0, SHOWN_LINES)
  return [`${relative(root, file)} > ${test}`, ...shown].join('\n       ')
}

/**
 * @param {string} path
 * @returns {{
 *   numPassedTests: number, numFailedTests: number, numPendingTests: number, numTodoTests: number,
 *   testResults: TestFile[]
 * } | undefined}
 */
function read(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch {
    return undefined
  }
}

/** @param {Counts} counts */
function lastLine({ passed, failed, skipped }) {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`
}
