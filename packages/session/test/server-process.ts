/** An application in a process of its own, and browsers that talk to it. */
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface, type Interface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'

/** What a server answered. */
export interface Answer {
  readonly status: number
  // biome-ignore lint/suspicious/noExplicitAny: each route answers something else
  readonly body: any
}

/** Keeps one cookie, as browsers do. */
export class Browser {
  cookie: string | undefined

  constructor(cookie?: string) {
    this.cookie = cookie
  }

  /** Another browser with the same cookie. */
  copy(): Browser {
    return new Browser(this.cookie)
  }

  async ask(server: { readonly url: string }, method: string, path: string): Promise<Answer> {
    const headers = this.cookie === undefined ? {} : { cookie: this.cookie }
    const response = await fetch(`${server.url}${path}`, { method, headers })
    const [cookie] = response.headers.getSetCookie()
    if (cookie !== undefined) {
      this.cookie = /Max-Age=0|Expires=Thu, 01 Jan 1970/i.test(cookie)
        ? undefined
        : cookie.split(';')[0]
    }
    const text = await response.text()
    return { status: response.status, body: text.startsWith('{') ? JSON.parse(text) : text }
  }

  /** Asks, and expects to be answered well. */
  async expect(server: { readonly url: string }, method: string, path: string) {
    const { status, body } = await this.ask(server, method, path)
    if (status === 200) return body
    throw new Error(`${method} ${path}: ${status} ${JSON.stringify(body)}`)
  }
}

/** A server of this folder, running. It ends with its input. */
export class ServerProcess {
  readonly lines: Interface
  readonly #child: ChildProcessByStdio<Writable, Readable, null>
  #url = ''

  private constructor(script: string, databaseUrl: string) {
    const path = fileURLToPath(new URL(script, import.meta.url))
    this.#child = spawn(process.execPath, ['--import', 'tsx', path], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...process.env, TEST_DATABASE_URL: databaseUrl },
    })
    this.lines = createInterface(this.#child.stdout)
  }

  static async start(script: string, databaseUrl: string): Promise<ServerProcess> {
    const server = new ServerProcess(script, databaseUrl)
    const [line] = await Promise.race([
      once(server.lines, 'line'),
      once(server.lines, 'close').then(() => Promise.reject(new Error(`${script} ended`))),
    ])
    server.#url = `http://127.0.0.1:${String(line).replace('port ', '')}`
    return server
  }

  get url(): string {
    return this.#url
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null) return
    const exited = once(this.#child, 'exit')
    this.#child.stdin.end()
    await exited
  }
}
