import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'

/** Answers the ids of all processes that come from this one. */
export function descendants(pid: number): number[] {
  const children = new Map<number, number[]>()
  for (const [child, parent] of processes()) {
    children.set(parent, [...(children.get(parent) ?? []), child])
  }
  const found: number[] = []
  for (let open = [pid]; open.length > 0; found.push(...open)) {
    open = open.flatMap((one) => children.get(one) ?? [])
  }
  return found
}

/** Tells whether a process is there; one that ended and waits for its parent to ask is not. */
export function isRunning(pid: number): boolean {
  return processes().some(([id]) => id === pid)
}

/** Lists id and parent of each process; from /proc where there is one, for `ps` may be missing there. */
function processes(): [pid: number, parent: number][] {
  if (process.platform !== 'linux') {
    const lines = execFileSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' }).split('\n')
    return lines.map((line) => line.trim().split(/\s+/).map(Number) as [number, number])
  }
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const stat = readFileSync(`/proc/${name}/stat`, 'utf8')
        const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
        return state === 'Z' ? [] : [[Number(name), Number(parent)] as [number, number]]
      } catch {
        return [] // It ended while we looked.
      }
    })
}
