import { readFileSync } from 'node:fs'
import { arch, cpus, loadavg, platform, release, totalmem } from 'node:os'

/** What the figures were measured on. Holds nothing that identifies the machine. */
export interface Machine {
  readonly cpu: string
  readonly cores: number
  readonly memoryGiB: number
  readonly os: string
  readonly node: string
}

export function describeMachine(): Machine {
  const processors = cpus()
  return {
    cpu: processors[0]?.model.trim() ?? 'unknown',
    cores: processors.length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    os: `${osName()}, ${arch()}`,
    node: process.versions.node,
  }
}

/** Load average over the last minute. */
export function load(): number {
  return Math.round((loadavg()[0] as number) * 100) / 100
}

function osName(): string {
  try {
    const pretty = /^PRETTY_NAME="?(.*?)"?$/m.exec(readFileSync('/etc/os-release', 'utf8'))
    if (pretty?.[1]) return pretty[1]
  } catch {
    // Not a Linux with that file.
  }
  return `${platform()} ${release()}`
}
