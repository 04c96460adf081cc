import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const FOLDER = dirname(fileURLToPath(import.meta.url))

/** An example in a process of its own, as a user starts it. */
export class RunningExample {
  readonly #process: ChildProcess
  readonly #lines: string[] = []
  readonly #waiting = new Set<() => void>()

  /** Starts `src/main.ts` of an example on a database. */
  constructor(name: string, databaseUrl: string) {
    this.#process = spawn(process.execPath, ['--import', 'tsx', join(name, 'src/main.ts')], {
      cwd: FOLDER,
      env: { ...process.env, DATABASE_URL: databaseUrl, PORT: '0' },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    if (this.#process.stdout === null) throw new Error('Its output is piped.')
    const told = () => {
      for (const wake of this.#waiting) wake()
    }
    createInterface({ input: this.#process.stdout }).on('line', (line) => {
      this.#lines.push(line)
      told()
    })
    this.#process.on('exit', told)
  }

  /** Waits until it has printed a line that matches, and answers what the pattern's first group found. */
  async printed(pattern: RegExp): Promise<string> {
    for (;;) {
      const found = this.#lines.map((line) => pattern.exec(line)).find((match) => match !== null)
      if (found) return found[1] ?? found[0]
      if (this.#process.exitCode !== null) {
        throw new Error(`It ended with ${this.#process.exitCode} before it printed ${pattern}.`)
      }
      await new Promise<void>((resolve) => {
        const wake = () => {
          this.#waiting.delete(wake)
          resolve()
        }
        this.#waiting.add(wake)
      })
    }
  }

  /** Asks it to end, as a platform does, and answers its exit code. */
  async stop(): Promise<number | null> {
    if (this.#process.exitCode === null) {
      const exited = once(this.#process, 'exit')
      this.#process.kill('SIGTERM')
      await exited
    }
    return this.#process.exitCode
  }
}
