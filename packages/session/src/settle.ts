/** A callback of a session store. */
export type Done<Value> = (error?: unknown, value?: Value) => void

/**
 * Answers by callback where there is one, and by promise in any case. The callback is called once and outside the promise: an error that it throws is the
 * application's, not ours. Nobody need wait for the promise: a rejection that nobody sees does not end the process.
 */
export function settle<Value>(
  outcome: Promise<Value>,
  callback: Done<Value> | undefined,
): Promise<Value> {
  outcome.then(
    (value) => callback && process.nextTick(callback, null, value),
    (error) => callback && process.nextTick(callback, error),
  )
  return outcome
}
