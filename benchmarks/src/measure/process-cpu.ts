import { readdirSync, readFileSync } from 'node:fs'

/** Linux reports times in these units to programs on every processor it runs on (USER_HZ). */
const TICKS_PER_SECOND = 100

interface ProcessStat {
  readonly name: string
  readonly parent: number
  /** Ticks this process used itself. */
  readonly own: number
  /** Ticks of its children that have ended and were waited for. */
  readonly ended: number
}

/** Reads `/proc/<pid>/stat`; `undefined` where there is no such process, or no `/proc`. */
function readStat(pid: number): ProcessStat | undefined {
  try {
    return parseStat(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return undefined
  }
}

/** @see https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html */
export function parseStat(line: string): ProcessStat {
  // The name stands in parentheses and may itself hold spaces and parentheses.
  const nameEnd = line.lastIndexOf(')')
  const fields = line.slice(nameEnd + 2).split(' ')
  const field = (number: number) => Number(fields[number - 3])
  return {
    name: line.slice(line.indexOf('(') + 1, nameEnd),
    parent: field(4),
    own: field(14) + field(15),
    ended: field(16) + field(17),
  }
}

/** The PostgreSQL server process above one of its sessions; `undefined` when the session runs on another machine. */
export function postmasterOf(sessionPid: number): number | undefined {
  const session = readStat(sessionPid)
  if (session === undefined) return undefined
  const parent = readStat(session.parent)
  return parent?.name === session.name && session.name.startsWith('postgres')
    ? session.parent
    : undefined
}

/** Seconds of CPU used so far by a process and all its children, those that have ended included. */
export function familySeconds(pid: number): number | undefined {
  const head = readStat(pid)
  if (head === undefined) return undefined
  let ticks = head.own + head.ended
  for (const entry of readdirSync('/proc')) {
    const child = /^\d+$/.test(entry) ? readStat(Number(entry)) : undefined
    if (child?.parent === pid) ticks += child.own + child.ended
  }
  return ticks / TICKS_PER_SECOND
}
