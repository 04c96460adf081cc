import { sessionError } from '../errors.js'

/**
 * Waits so long for something and no longer. It goes on nevertheless, and how it ends then interests nobody.
 *
 * @throws {@link HowdahError} SESSION_STORE_TIMEOUT
 */
export async function within<Value>(ms: number, outcome: Promise<Value>): Promise<Value> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(sessionError('SESSION_STORE_TIMEOUT', `The store has not answered within ${ms} ms.`))
    }, ms)
  })
  try {
    return await Promise.race([outcome, late])
  } finally {
    clearTimeout(timer)
  }
}
