/** A consumer of a group in this process. */
export interface Consumer extends AsyncDisposable {
  /** Takes nothing more, waits for the handlers that run, for ten seconds at most, and hands the rest back at once. */
  close(): Promise<void>
}

/** Longest that closing waits for handlers. */
export const CLOSE_WITHIN_MS = 10_000

/** Waits, or ends early when aborted or woken. */
export function pause(ms: number, signal: AbortSignal, woken?: Promise<unknown>): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', end)
      resolve()
    }
    const timer = setTimeout(end, ms)
    signal.addEventListener('abort', end, { once: true })
    woken?.then(end, end)
  })
}

/** UTF-16 units that are kept of an error. */
export const ERROR_LENGTH = 5000
