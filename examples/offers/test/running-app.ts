import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const FOLDER = fileURLToPath(new URL('..', import.meta.url))

/** The application in a process of its own, as a user starts it, with a PostgreSQL of its own. */
export class RunningApp {
  readonly process: ChildProcess
  readonly url: string
  readonly passwords: ReadonlyMap<string, string>

  private constructor(child: ChildProcess, url: string, passwords: ReadonlyMap<string, string>) {
    this.process = child
    this.url = url
    this.passwords = passwords
  }

  static async start(): Promise<RunningApp> {
    const { DATABASE_URL: _, ...env } = process.env
    const child = spawn(process.execPath, ['--import', 'tsx', 'src/main.ts'], {
      cwd: FOLDER,
      env: { ...env, PORT: '0' },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const passwords = new Map<string, string>()
    let url: string | undefined
    for await (const line of createInterface({ input: child.stdout })) {
      url ??= /^The board is at (\S+)$/.exec(line)?.[1]
      const [, email, password] = /^ {2}(\S+@\S+) {2}(\S+)$/.exec(line) ?? []
      if (email !== undefined && password !== undefined) passwords.set(email, password)
      if (url !== undefined && passwords.size === 3) {
        child.stdout.resume()
        return new RunningApp(child, url, passwords)
      }
    }
    throw new Error('The application ended before it was ready.')
  }

  /** Answers a demo account's address and password. */
  account(name: 'reader' | 'publisher' | 'admin'): [email: string, password: string] {
    const email = `${name}@offers.example`
    return [email, this.passwords.get(email) ?? '']
  }

  /** Asks the application to end, and answers its exit code. */
  async stop(): Promise<number | null> {
    if (this.process.exitCode === null) {
      const exited = once(this.process, 'exit')
      this.process.kill('SIGTERM')
      await exited
    }
    return this.process.exitCode
  }
}
