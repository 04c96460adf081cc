import { randomUUID } from 'node:crypto'
import {
  linkSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { interruption } from './interruption.mjs'
import { root } from './workspace.mjs'

// One process at a time installs or builds in a clone.
//
// Invariants
// - The lock is a file that exists. It appears whole, by link(), which fails when it exists already.
// - Its holder touches it every BEAT_MS. It is stale when its process is gone (same machine) or it
//   was not touched for STALE_MS (another machine or container, or a reused process id).
// - Only its holder removes a live lock. A stale one is removed only inside `breaking`, a folder that
//   one process at a time can make, and only after looking again: otherwise two processes that saw
//   the same stale lock could each remove it, the slower one removing the quicker one's new lock.

const BEAT_MS = 2_000
const STALE_MS = 30_000
const POLL_MS = 100

const folder = join(root, '.howdah')
const lock = join(folder, 'lock')
const breaking = join(folder, 'lock-breaking')

/**
 * Runs `work` while no other process of this clone runs one.
 *
 * @template T
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function withLock(work) {
  mkdirSync(folder, { recursive: true })
  const token = randomUUID()
  await acquire(token)
  const beat = setInterval(touch, BEAT_MS)
  try {
    return await work()
  } finally {
    clearInterval(beat)
    if (holder()?.token === token) rmSync(lock, { force: true })
  }
}

/** @param {string} token */
async function acquire(token) {
  const draft = join(folder, `lock-${token}`)
  writeFileSync(draft, JSON.stringify({ token, pid: process.pid, host: hostname() }))
  try {
    for (let told = false; ; await delay(POLL_MS)) {
      interruption.throwIfInterrupted()
      // The lock is the draft under a second name and starts with its age.
      utimesSync(draft, new Date(), new Date())
      if (createdOnce(() => linkSync(draft, lock))) return
      const current = holder()
      if (current === undefined) continue
      if (isStale(current)) breakLock()
      else if (!told) {
        told = true
        process.stderr.write(`Waiting for process ${current.pid}, which installs or builds here.\n`)
      }
    }
  } finally {
    rmSync(draft, { force: true })
  }
}

function breakLock() {
  if (!createdOnce(() => mkdirSync(breaking))) {
    if (age(breaking) > STALE_MS) removeFolder(breaking)
    return
  }
  try {
    const current = holder()
    if (current !== undefined && isStale(current)) rmSync(lock, { force: true })
  } finally {
    removeFolder(breaking)
  }
}

/** @returns {{ token: string, pid: number, host: string } | undefined} */
function holder() {
  try {
    return JSON.parse(readFileSync(lock, 'utf8'))
  } catch {
    return undefined
  }
}

/** @param {{ pid: number, host: string }} holder */
function isStale({ pid, host }) {
  if (age(lock) > STALE_MS) return true
  if (host !== hostname()) return false
  try {
    process.kill(pid, 0)
    return false
  } catch (error) {
    return /** @type {NodeJS.ErrnoException} */ (error).code === 'ESRCH'
  }
}

/** @param {string} path */
function age(path) {
  const stats = statSync(path, { throwIfNoEntry: false })
  return stats === undefined ? 0 : Date.now() - stats.mtimeMs
}

/** @param {string} path */
function removeFolder(path) {
  rmSync(path, { recursive: true, force: true })
}

function touch() {
  try {
    utimesSync(lock, new Date(), new Date())
  } catch {
    // Somebody removed the file by hand; the work itself is not harmed by that.
  }
}

/** @param {() => void} create */
function createdOnce(create) {
  try {
    create()
    return true
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code === 'EEXIST') return false
    throw error
  }
}
