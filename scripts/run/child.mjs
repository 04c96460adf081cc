import { spawn } from 'node:child_process'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { CommandError } from './errors.mjs'
import { interruption } from './interruption.mjs'
import { root } from './workspace.mjs'

// A child leads a process group of its own. A ^C at the terminal therefore reaches it once, through
// us, and whatever it leaves behind can be found and ended by the group's id.

/** How long an interrupted child may take to clean up before it is killed. */
const GRACE_MS = 20_000
/** How long what an exited child left behind may take to end. */
const SWEEP_MS = 5_000

const guard = fileURLToPath(new URL('./guard.mjs', import.meta.url))

/**
 * @typedef {object} ChildOptions
 * @property {string} [cwd]
 * @property {Record<string, string | undefined> | undefined} [env] Added to ours.
 * @property {boolean} [quiet] Sends its standard output to standard error, which leaves ours to the result.
 * @property {boolean} [capture] Returns its output in place of showing it.
 * @property {(text: string) => void} [onOutput] Is shown standard output as it passes.
 */

/**
 * Runs a program to its end and returns its exit code and, if asked for, its output.
 *
 * @param {string} command
 * @param {readonly string[]} args
 * @param {ChildOptions} [options]
 * @returns {Promise<{ code: number, output: string }>}
 */
export async function run(command, args, options = {}) {
  interruption.throwIfInterrupted()
  const piped = options.capture || options.onOutput
  const child = spawn(command, args, {
    cwd: options.cwd ?? root,
    // tsx, which children of children use too, otherwise leaves a cache in the temporary folder.
    env: { ...process.env, TSX_DISABLE_CACHE: '1', ...options.env },
    detached: true,
    stdio: [
      'ignore',
      piped ? 'pipe' : options.quiet ? process.stderr : 'inherit',
      options.capture ? 'pipe' : 'inherit',
    ],
  })
  let output = ''
  const collect = (/** @type {string} */ text) => {
    output += options.capture ? text : ''
    options.onOutput?.(text)
    if (!options.capture) process.stdout.write(text)
  }
  child.stdout?.setEncoding('utf8').on('data', collect)
  child.stderr?.setEncoding('utf8').on('data', collect)

  /** @type {NodeJS.Timeout | undefined} */
  let lastResort
  const stopForwarding = interruption.forwardTo((signal) => {
    // A closed terminal means the same to us as SIGTERM, which more programs clean up after.
    child.kill(signal === 'SIGHUP' ? 'SIGTERM' : signal)
    lastResort ??= setTimeout(() => signalGroup(child.pid, 'SIGKILL'), GRACE_MS)
  })
  try {
    const code = await ended(child, command)
    return { code, output }
  } finally {
    stopForwarding()
    clearTimeout(lastResort)
    await sweep(child.pid)
    interruption.throwIfInterrupted()
  }
}

/**
 * Runs a JavaScript file with this Node; the child ends by itself should we be killed outright.
 *
 * @param {string} file
 * @param {readonly string[]} args
 * @param {ChildOptions & { nodeArgs?: string[] }} [options]
 */
export function runNode(file, args, { nodeArgs = [], ...options } = {}) {
  return run(process.execPath, ['--import', guard, ...nodeArgs, file, ...args], options)
}

/**
 * @param {import('node:child_process').ChildProcess} child
 * @param {string} command
 * @returns {Promise<number>}
 */
function ended(child, command) {
  return new Promise((resolve, reject) => {
    child.once('error', (error) => {
      reject(new CommandError(`Could not start ${command}: ${error.message}.`))
    })
    child.once('close', (code) => resolve(code ?? 1))
  })
}

/**
 * Ends what is left of a child's group: first politely, then not.
 *
 * @param {number | undefined} group
 */
async function sweep(group) {
  if (!signalGroup(group, 'SIGTERM')) return
  for (const deadline = performance.now() + SWEEP_MS; performance.now() < deadline; ) {
    await delay(50)
    if (!signalGroup(group, 0)) return
  }
  signalGroup(group, 'SIGKILL')
}

/**
 * Signals a process group; false when nobody is in it.
 *
 * @param {number | undefined} group
 * @param {NodeJS.Signals | 0} signal
 */
function signalGroup(group, signal) {
  if (group === undefined) return false
  try {
    return process.kill(-group, signal)
  } catch {
    return false
  }
}
