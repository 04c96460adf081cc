/**
 * A session store as express-session and `@fastify/session` know them, by shape: theirs, ours, connect-redis, connect-pg-simple and others fit.
 */
export interface CallbackStore {
  get(sid: string, callback: (error: unknown, session?: unknown) => void): unknown
  set(sid: string, session: object, callback: (error?: unknown) => void): unknown
  destroy(sid: string, callback: (error?: unknown) => void): unknown
  touch?(sid: string, session: object, callback: (error?: unknown) => void): unknown
  all?(callback: (error: unknown, sessions?: unknown) => void): unknown
  length?(callback: (error: unknown, length?: unknown) => void): unknown
  clear?(callback: (error?: unknown) => void): unknown
}

/** Whether it can be called as a store. */
export function isStore(store: unknown): store is CallbackStore {
  const methods = (store ?? {}) as Partial<CallbackStore>
  return [methods.get, methods.set, methods.destroy].every((one) => typeof one === 'function')
}

/** Calls what answers by callback. An error it throws, or that the promise it may return rejects with, is its answer, too. */
export function call(
  start: (done: (error?: unknown, value?: unknown) => void) => unknown,
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    // Rejected with nothing, it would look like an answer.
    const fail = (error: unknown) => reject(error || new Error('A session store failed.'))
    const returned = start((error, value) => (error ? fail(error) : resolve(value)))
    Promise.resolve(returned).catch(fail)
  })
}

/** The session that a store has; `null` where it has none. */
export async function found(store: CallbackStore, sid: string): Promise<object | null> {
  try {
    return ((await call((done) => store.get(sid, done))) as object | null | undefined) ?? null
  } catch (error) {
    // express-session takes this error for "not found".
    if ((error as { readonly code?: unknown } | null)?.code === 'ENOENT') return null
    throw error
  }
}
