/**
 * Writes a value as JSON text. PostgreSQL keeps such text whole: NUL and lone surrogates come out escaped.
 *
 * @param refuse - makes the error for a value that JSON cannot say: a function, a symbol, `undefined`, a bigint or a cycle
 * @throws what `refuse` makes
 *
 * @example
 * ```ts
 * import { encodeJson } from '@howdah/core'
 *
 * encodeJson({ id: 7 }, (cause) => new TypeError('Give a value that JSON can say.', { cause })) // '{"id":7}'
 * ```
 */
export function encodeJson(value: unknown, refuse: (cause: unknown) => Error): string {
  let text: string | undefined
  let cause: unknown
  try {
    text = JSON.stringify(value)
  } catch (error) {
    cause = error
  }
  if (text === undefined) throw refuse(cause)
  return text
}
