import type { SpawnOptions } from 'node:child_process'

/** What the owner asks of its watchdog; every request is answered once, by `id`. */
export type WatchdogRequest = { readonly id: number } & (
  | { readonly op: 'own' | 'disown'; readonly folder: string }
  | { readonly op: 'run'; readonly command: Command; readonly input?: string | undefined }
  | { readonly op: 'start'; readonly key: number; readonly command: ServiceCommand }
  | {
      readonly op: 'stop' | 'kill' | 'freeze' | 'thaw'
      readonly key: number
      readonly signal?: NodeJS.Signals
    }
  | { readonly op: 'end' }
)

/** A program to start. */
export interface Command {
  readonly file: string
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly cwd: string
  readonly uid?: number | undefined
  readonly gid?: number | undefined
  /** PostgreSQL's `postmaster.pid`, which tells the shared memory segment that a kill leaves behind. */
  readonly pidFile?: string | undefined
}

/** A program that keeps running. */
export interface ServiceCommand extends Command {
  /** Its output is appended here. */
  readonly logFile: string
  /** How it is asked to end when its owner is gone; SIGKILL follows when it does not listen. */
  readonly endSignal: NodeJS.Signals
}

/**
 * The whole program of the watchdog process: it starts programs for its owner, and when the owner's end of the
 * channel closes, for whatever reason, it stops them, removes the owned folders and ends.
 *
 * The watchdog starts the programs itself, so there is no moment in which a program runs that it does not know.
 *
 * Its source text is handed to `node -e` (see `watchdog.ts`), so that one copy works from the ESM build, the CommonJS
 * build and the sources. It must therefore use nothing but its parameter and globals, and no syntax that a compiler
 * would replace by a helper.
 */
export function watchdogMain(require: NodeJS.Require): void {
  const { spawn, execFileSync } =
    require('node:child_process') as typeof import('node:child_process')
  const fs = require('node:fs') as typeof import('node:fs')
  const graceMs = 8_000
  const outputLimit = 64 * 1024

  interface Service {
    readonly pid: number
    readonly command: ServiceCommand
    alive: boolean
  }
  const folders = new Set<string>()
  const services = new Map<number, Service>()
  const pidFiles = new Set<string>()
  const helpers = new Set<number>()
  let ending: Promise<void> | undefined

  const send = (message: object): void => {
    if (process.connected) process.send?.(message, () => {})
  }
  const later = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
  const signal = (pid: number, name: NodeJS.Signals): void => {
    try {
      process.kill(pid, name)
    } catch {
      // Already gone.
    }
  }

  /** Every live process with its parent; a zombie counts as gone, its parent may never collect it. */
  const processes = (): Map<number, number> => {
    const parents = new Map<number, number>()
    if (process.platform === 'win32') return parents
    if (process.platform === 'linux') {
      for (const entry of fs.readdirSync('/proc')) {
        if (!/^[0-9]+$/.test(entry)) continue
        try {
          const stat = fs.readFileSync(`/proc/${entry}/stat`, 'utf8')
          const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
          if (fields[0] !== 'Z' && fields[0] !== 'X') parents.set(Number(entry), Number(fields[1]))
        } catch {
          // Ended while we were reading.
        }
      }
      return parents
    }
    const table = execFileSync('ps', ['-A', '-o', 'pid=,ppid=,stat='], { encoding: 'utf8' })
    for (const line of table.split('\n')) {
      const [pid, parent, state] = line.trim().split(/\s+/)
      if (pid && state && !state.startsWith('Z')) parents.set(Number(pid), Number(parent))
    }
    return parents
  }
  const family = (leader: number): number[] => {
    const parents = processes()
    const members = [leader]
    for (const member of members) {
      for (const [pid, parent] of parents) if (parent === member) members.push(pid)
    }
    return members
  }
  const gone = async (pids: readonly number[], ms: number): Promise<boolean> => {
    for (let waited = 0; ; waited += 10) {
      const live = processes()
      if (process.platform === 'win32' || !pids.some((pid) => live.has(pid))) return true
      if (waited >= ms) return false
      await later(10)
    }
  }

  const freeze = (leader: number): void => {
    // The leader first: while it stands still it starts no further children.
    signal(leader, 'SIGSTOP')
    for (const pid of family(leader)) signal(pid, 'SIGSTOP')
  }
  const thaw = (leader: number): void => {
    for (const pid of family(leader).reverse()) signal(pid, 'SIGCONT')
  }
  const kill = async (leader: number): Promise<void> => {
    if (process.platform !== 'win32') signal(leader, 'SIGSTOP')
    const members = family(leader)
    for (const pid of members) signal(pid, 'SIGKILL')
    await gone(members, graceMs)
  }
  const stop = async (service: Service, name: NodeJS.Signals, ms: number): Promise<boolean> => {
    if (!service.alive) return true
    thaw(service.pid)
    const members = family(service.pid)
    signal(service.pid, name)
    for (let waited = 0; service.alive && waited < ms; waited += 10) await later(10)
    const orderly = !service.alive
    if (!orderly) await kill(service.pid)
    await gone(members, graceMs)
    return orderly
  }

  const endEverything = async (): Promise<void> => {
    await Promise.all([...helpers].map(kill))
    await Promise.all([...services.values()].map((s) => stop(s, s.command.endSignal, graceMs)))
    for (const file of pidFiles) {
      // A killed server could not free its shared memory segment; its id stands in the seventh line.
      try {
        const id = fs.readFileSync(file, 'utf8').split('\n')[6]?.trim().split(/\s+/)[1]
        if (id) execFileSync('ipcrm', ['-m', id], { stdio: 'ignore' })
      } catch {
        // A clean stop removed the file, or there is no ipcrm here.
      }
    }
    for (const folder of folders) {
      try {
        fs.rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 })
      } catch {
        // Nobody is left to tell.
      }
    }
  }
  const end = (): Promise<void> => {
    ending ??= endEverything()
    return ending
  }
  const endAndExit = (): void => {
    const exit = (): never => process.exit(0)
    end().then(exit, exit)
  }

  const options = (command: Command): SpawnOptions => {
    const { cwd, env, uid, gid, pidFile } = command
    if (pidFile !== undefined) pidFiles.add(pidFile)
    const user = uid === undefined || gid === undefined ? {} : { uid, gid }
    return { cwd, env, windowsHide: true, ...user }
  }

  const run = (id: number, command: Command, input: string | undefined): void => {
    const child = spawn(command.file, command.args, { ...options(command), stdio: 'pipe' })
    let output = ''
    const collect = (chunk: Buffer): void => {
      output = (output + chunk.toString()).slice(-outputLimit)
    }
    child.stdout?.on('data', collect)
    child.stderr?.on('data', collect)
    child.stdin?.on('error', () => {})
    child.stdin?.end(input)
    if (child.pid !== undefined) helpers.add(child.pid)
    child.on('error', (error) =>
      send({ id, error: error.message, code: (error as { code?: string }).code }),
    )
    child.on('close', (exitCode) => {
      if (child.pid === undefined) return
      helpers.delete(child.pid)
      send({ id, result: { exitCode, output } })
    })
  }

  const start = (id: number, key: number, command: ServiceCommand): void => {
    const log = fs.openSync(command.logFile, 'a')
    const child = spawn(command.file, command.args, {
      ...options(command),
      stdio: ['ignore', log, log],
    })
    fs.closeSync(log)
    child.on('error', (error) =>
      send({ id, error: error.message, code: (error as { code?: string }).code }),
    )
    if (child.pid === undefined) return
    const service: Service = { pid: child.pid, command, alive: true }
    services.set(key, service)
    child.on('exit', (exitCode, exitSignal) => {
      service.alive = false
      services.delete(key)
      send({ exit: key, exitCode, signal: exitSignal })
    })
    send({ id, result: child.pid })
  }

  const handle = async (request: WatchdogRequest): Promise<unknown> => {
    switch (request.op) {
      case 'own':
        folders.add(request.folder)
        return
      case 'disown':
        folders.delete(request.folder)
        return
      case 'end':
        return await end()
      case 'run':
      case 'start':
        return
      default: {
        const service = services.get(request.key)
        if (service === undefined) return false
        if (request.op === 'stop') return await stop(service, request.signal ?? 'SIGTERM', 30_000)
        if (request.op === 'kill') await kill(service.pid)
        if (request.op === 'freeze') freeze(service.pid)
        if (request.op === 'thaw') thaw(service.pid)
        return true
      }
    }
  }

  process.on('message', (request: WatchdogRequest) => {
    if (ending !== undefined) return
    try {
      if (request.op === 'run') return run(request.id, request.command, request.input)
      if (request.op === 'start') return start(request.id, request.key, request.command)
    } catch (error) {
      return send({ id: request.id, error: String(error) })
    }
    handle(request).then(
      (result) => {
        send({ id: request.id, result })
        // The owner closes the channel once it has read the answer; it may also have died meanwhile.
        if (request.op === 'end') setTimeout(endAndExit, graceMs)
      },
      (error) => send({ id: request.id, error: String(error) }),
    )
  })
  process.on('disconnect', endAndExit)
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, endAndExit)
}
