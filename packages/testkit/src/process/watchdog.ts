import { type ChildProcess, spawn } from 'node:child_process'
import { rmSync } from 'node:fs'
import type { Socket } from 'node:net'
import { parse } from 'node:path'
import { testkitError } from '../errors.js'
import {
  type Command,
  type ServiceCommand,
  type WatchdogRequest,
  watchdogMain,
} from './watchdog-main.js'

/** How a program that ran to its end ended. */
export interface RunResult {
  readonly exitCode: number | null
  /** Standard output and standard error, the last 64 kB of them. */
  readonly output: string
}

/** How a service ended. */
export interface ServiceExit {
  readonly exitCode: number | null
  readonly signal: NodeJS.Signals | null
}

/** A program the watchdog keeps; it dies with us at the latest. */
export interface Service {
  readonly pid: number
  /** Settles when the program has ended, however that came. */
  readonly exited: Promise<ServiceExit>
  /** Waits for the end and keeps this process alive meanwhile, which `exited` does not. */
  ended(): Promise<ServiceExit>
  /** Asks it to end with `signal`; false when SIGKILL was needed. */
  stop(signal: NodeJS.Signals): Promise<boolean>
  /** SIGKILL to it and to all its children; resolves when they are gone. */
  kill(): Promise<void>
  freeze(): Promise<void>
  thaw(): Promise<void>
}

type Operation = WatchdogRequest extends infer R
  ? R extends unknown
    ? Omit<R, 'id'>
    : never
  : never
type Reply = { id: number; result?: unknown; error?: string; code?: string }
type ExitNote = { exit: number } & ServiceExit

interface Pending {
  resolve(value: unknown): void
  reject(error: Error): void
}

/**
 * Our end of the watchdog process, which owns the programs and folders we ask it for and takes them along when we
 * die in any way, `kill -9` included.
 *
 * States: open, then ended (by `end()`, or because the process was lost). The channel keeps our event loop alive only
 * while an answer is awaited, so a forgotten server never keeps a program from ending.
 */
export class Watchdog {
  readonly #process: ChildProcess
  readonly #pending = new Map<number, Pending>()
  readonly #exits = new Map<number, (exit: ServiceExit) => void>()
  readonly #folders = new Set<string>()
  readonly #pids = new Map<number, number>()
  #lastId = 0
  /** Waits for exits, which keep the process alive as requests do. */
  #waits = 0
  #lost: Error | undefined

  private constructor(child: ChildProcess) {
    this.#process = child
    child.on('message', (message) => this.#receive(message as Reply | ExitNote))
    child.on('error', (error) => this.#lose(error))
    child.on('exit', () => this.#lose(complaint === '' ? undefined : new Error(complaint)))
    let complaint = ''
    const stderr = child.stderr as Socket | null
    stderr?.on('data', (chunk: Buffer) => {
      complaint = (complaint + chunk).slice(-2_000)
    })
    stderr?.unref()
    this.#hold(false)
  }

  /** Starts the watchdog process. */
  static start(): Watchdog {
    // Compilers that keep function names wrap inner functions in `__name`, which the new process does not have.
    const source = `const __name = (f) => f;(${watchdogMain.toString()})(require)`
    const { NODE_OPTIONS: _o, NODE_V8_COVERAGE: _c, ...env } = process.env
    return new Watchdog(
      spawn(process.execPath, ['-e', source], {
        detached: true,
        windowsHide: true,
        cwd: parse(process.cwd()).root,
        env,
        stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      }),
    )
  }

  /** Has the folder removed at the end. To be called before the folder is made. */
  async own(folder: string): Promise<void> {
    this.#folders.add(folder)
    await this.#request({ op: 'own', folder })
  }

  /** Lets a folder stay. */
  async disown(folder: string): Promise<void> {
    this.#folders.delete(folder)
    await this.#request({ op: 'disown', folder })
  }

  /** Runs a program to its end. */
  async run(command: Command, input?: string): Promise<RunResult> {
    return (await this.#request({ op: 'run', command, input })) as RunResult
  }

  /** Starts a program that keeps running. */
  async start(command: ServiceCommand): Promise<Service> {
    const key = ++this.#lastId
    const exited = new Promise<ServiceExit>((resolve) => this.#exits.set(key, resolve))
    try {
      const pid = (await this.#request({ op: 'start', key, command })) as number
      this.#pids.set(key, pid)
      const send = (op: 'kill' | 'freeze' | 'thaw'): Promise<void> =>
        this.#request({ op, key }).then(() => {})
      return {
        pid,
        exited,
        ended: () => this.#held(exited),
        stop: (signal) => this.#request({ op: 'stop', key, signal }) as Promise<boolean>,
        kill: () => send('kill'),
        freeze: () => send('freeze'),
        thaw: () => send('thaw'),
      }
    } catch (error) {
      this.#exits.delete(key)
      throw error
    }
  }

  /** Stops every program, removes every owned folder and ends the watchdog. */
  async end(): Promise<void> {
    if (this.#lost !== undefined) return
    await this.#request({ op: 'end' })
    const over = new Promise((resolve) => this.#process.once('exit', resolve))
    this.#hold(true)
    this.#process.disconnect()
    await over
  }

  #request(operation: Operation): Promise<unknown> {
    if (this.#lost !== undefined) return Promise.reject(this.#lost)
    const id = ++this.#lastId
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject })
      this.#hold(true)
      this.#process.send({ ...operation, id }, (error) => {
        if (error) this.#settle(id)?.reject(error)
      })
    })
  }

  #receive(message: Reply | ExitNote): void {
    if ('exit' in message) {
      this.#exits.get(message.exit)?.({ exitCode: message.exitCode, signal: message.signal })
      this.#exits.delete(message.exit)
      this.#pids.delete(message.exit)
      return
    }
    const waiting = this.#settle(message.id)
    if (message.error === undefined) waiting?.resolve(message.result)
    else waiting?.reject(Object.assign(new Error(message.error), { code: message.code }))
  }

  #settle(id: number): Pending | undefined {
    const waiting = this.#pending.get(id)
    this.#pending.delete(id)
    this.#release()
    return waiting
  }

  #lose(cause: Error | undefined): void {
    if (this.#lost !== undefined) return
    this.#lost = testkitError(
      'TESTKIT_WATCHDOG_LOST',
      'The process that watches over the servers has ended; start a new server.',
      cause,
    )
    for (const { reject } of this.#pending.values()) reject(this.#lost)
    this.#pending.clear()
    for (const resolve of this.#exits.values()) resolve({ exitCode: null, signal: 'SIGKILL' })
    this.#exits.clear()
    this.#cleanUpAlone()
  }

  /** Does what the watchdog can no longer do, when something killed it. Finds nothing left after `end()`. */
  #cleanUpAlone(): void {
    for (const pid of this.#pids.values()) {
      try {
        process.kill(pid, 'SIGKILL')
      } catch {
        // Already gone.
      }
    }
    for (const folder of this.#folders) {
      rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 })
    }
  }

  async #held<T>(wait: Promise<T>): Promise<T> {
    this.#waits++
    this.#hold(true)
    try {
      return await wait
    } finally {
      this.#waits--
      this.#release()
    }
  }

  #release(): void {
    if (this.#pending.size === 0 && this.#waits === 0) this.#hold(false)
  }

  #hold(active: boolean): void {
    const { channel } = this.#process
    if (active) {
      this.#process.ref()
      channel?.ref()
    } else {
      this.#process.unref()
      channel?.unref()
    }
  }
}
