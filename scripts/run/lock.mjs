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

/**
 * Runs `work` while no other process of this clone runs one.
 *
 * @template T
 * @param {() => Promise<T>} work
 * @param {string} [folder]
 * @returns {Promise<T>}
 */
export async function withLock(work, folder = join(root, '.howdah')) {
  mkdirSync(folder, { recursive: true })
  const lock = join(folder, 'lock')
  const token = randomUUID()
  await acquire(folder, token)
  const beat = setInterval(() => touch(lock), BEAT_MS)
  try {
    return await work()
  } finally {
    clearInterval(beat)
    if (holderOf(lock)?.token === token) rmSync(lock, { force: true })
  }
}

/**
 * @param {string} folder
 * @param {string} token
 */
async function acquire(folder, token) {
  const lock = join(folder, 'lock')
  const draft = join(folder, `lock-${token}`)
  writeFileSync(draft, JSON.stringify({ token, pid: process.pid, host: hostname() }))
  try {
    for (let told = false; ; await delay(POLL_MS)) {
      interruption.throwIfInterrupted()
      // The lock is the draft under a second name and starts with its age.
      touch(draft)
      if (succeeds(() => linkSync(draft, lock))) return
      const holder = holderOf(lock)
      if (holder === undefined) continue
      if (isStale(lock, holder)) breakLock(folder)
      else if (!told) {
        told = true
        process.stderr.write(`Waiting for process ${holder.pid}, which installs or builds here.\n`)
      }
    }
  } finally {
    rmSync(draft, { force: true })
  }
}

/** @param {string} folder */
function breakLock(folder) {
  const lock = join(folder, 'lock')
  const breaking = join(folder, 'lock-breaking')
  if (succeeds(() => mkdirSync(breaking))) {
    const holder = holderOf(lock)
    if (holder !== undefined && isStale(lock, holder)) rmSync(lock, { force: true })
  } else if (age(breaking) < STALE_MS) {
    return
  }
  rmSync(breaking, { recursive: true, force: true })
}

/**
 * @param {string} lock
 * @returns {{ token: string, pid: number, host: string } | undefined}
 */
function holderOf(lock) {
  try {
    return JSON.parse(readFileSync(lock, 'utf8'))
  } catch {
    return undefined
  }
}

/**
 * @param {string} lock
 * @param {{ pid: number, host: string }} holder
 */
function isStale(lock, { pid, host }) {
  if (age(lock) > STALE_MS) return true
  if (host !== hostname()) return false
  try {
    process.kill(pid, 0)
    return false
  } catch (error) {
    return error.code === 'ESRCH'
  }
}

/** @param {string} path */
function age(path) {
  const stats = statSync(path, { throwIfNoEntry: false })
  return stats === undefined ? 0 : Date.now() - stats.mtimeMs
}

/** @param {string} path */
function touch(path) {
  const now = new Date()
  try {
    utimesSync(path, now, now)
  } catch {
    // Somebody removed it by hand; what we do under the lock is not harmed by that.
  }
}

/**
 * Whether something could be created; false when it is there already.
 *
 * @param {() => void} create
 */
function succeeds(create) {
  try {
    create()
    return true
  } catch (error) {
    if (error.code === 'EEXIST') return false
    throw error
  }
}
