import { setTimeout as delay } from 'node:timers/promises'

/** Waits, or ends at once when aborted. Does not keep the process alive. */
export async function sleep(ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, undefined, { ref: false, signal }).catch(() => {})
}

/** Makes a controller that is aborted with its parent, or earlier by itself. `unlink` lets go of the parent. */
export function childOf(parent: AbortSignal): { controller: AbortController; unlink: () => void } {
  const controller = new AbortController()
  const follow = () => controller.abort(parent.reason)
  if (parent.aborted) follow()
  else parent.addEventListener('abort', follow, { once: true })
  return { controller, unlink: () => parent.removeEventListener('abort', follow) }
}

/** Resolves when aborted, never before. */
export function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
}

/**
 * Waits for a promise no longer than `ms`, nor past an abort; what it settles to later is dropped. Does not keep the process
 * alive.
 *
 * @throws Error with the given message when it takes longer; the abort's reason when aborted
 */
export function within<T>(
  promise: Promise<T>,
  ms: number,
  message: string,
  signal?: AbortSignal,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => end(() => reject(new Error(message))), ms).unref()
    const onAbort = () => end(() => reject(signal?.reason))
    const end = (settle: () => void) => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', onAbort)
      settle()
    }
    signal?.addEventListener('abort', onAbort, { once: true })
    promise.then(
      (value) => end(() => resolve(value)),
      (error) => end(() => reject(error)),
    )
    if (signal?.aborted === true) onAbort()
  })
}
