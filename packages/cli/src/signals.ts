/** Waits for the command to be told to end. */
export interface EndSignal {
  readonly came: Promise<void>
  /** Whether one has come. */
  readonly ended: boolean
  /** Ends it as a signal would. */
  end(): void
  /** Gives signals back to whoever had them. */
  ignore(): void
}

const NAMES = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** Listens for signals from now on, so that one that comes during a start is kept for when it is over. */
export function untilSignal(): EndSignal {
  let ended = false
  let tell = () => {}
  const came = new Promise<void>((resolve) => {
    tell = resolve
  })
  const end = () => {
    ended = true
    tell()
  }
  for (const name of NAMES) process.on(name, end)
  return {
    came,
    get ended() {
      return ended
    },
    end,
    ignore() {
      for (const name of NAMES) process.off(name, end)
    },
  }
}
