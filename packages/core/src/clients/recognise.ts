import { HowdahError } from '../errors.js'
import type { Queryable } from '../queryable.js'

/**
 * Looks at an object by its shape alone, so that no library is imported to be recognised: answers how to run a statement on
 * its transaction, or `undefined` when the object is not of that library.
 *
 * @throws {@link HowdahError} CORE_CLIENT_IS_POOL when it is the library's pool or root object
 */
export type Recognise = (handle: Record<PropertyKey, unknown>) => Queryable | undefined

/** The refusal of an object that would run the write outside the caller's transaction. */
export function notATransaction(what: string, instead: string): HowdahError<'CORE_CLIENT_IS_POOL'> {
  return new HowdahError(
    'CORE_CLIENT_IS_POOL',
    `The client is ${what}, so the write would not be part of your transaction. Pass ${instead}, or leave client out.`,
  )
}

/** Drivers that know only `Uint8Array` would give another row than `pg` does. */
export function withBuffers(rows: readonly unknown[]): unknown[] {
  return rows.map((row) => {
    let copy: Record<string, unknown> | undefined
    for (const [name, value] of Object.entries(row as Record<string, unknown>)) {
      if (!(value instanceof Uint8Array) || Buffer.isBuffer(value)) continue
      copy ??= { ...(row as Record<string, unknown>) }
      copy[name] = Buffer.from(value.buffer, value.byteOffset, value.byteLength)
    }
    return copy ?? row
  })
}
