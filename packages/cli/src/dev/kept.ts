import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'

/** What makes the URL of kept data the same again. */
export interface Kept {
  readonly port: number
  readonly password: string
}

const FILE = 'howdah-dev.json'

/** Answers what was kept beside the data; `undefined` where nothing was, or nothing that makes sense. */
export function readKept(folder: string): Kept | undefined {
  const path = join(folder, FILE)
  if (!existsSync(path)) return undefined
  try {
    const { port, password } = JSON.parse(readFileSync(path, 'utf8')) as Partial<Kept>
    const sound = Number.isInteger(port) && typeof password === 'string' && password !== ''
    return sound ? { port: port as number, password } : undefined
  } catch {
    return undefined
  }
}

export function keep(folder: string, kept: Kept): void {
  writeFileSync(join(folder, FILE), `${JSON.stringify(kept)}\n`, { mode: 0o600 })
}

/** Whether nobody serves on a port of 127.0.0.1. */
export function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer()
    probe.once('error', () => resolve(false))
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)))
  })
}
