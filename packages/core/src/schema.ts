/**
 * The part of Standard Schema that we use, so that a schema of zod, valibot, arktype or any other library that follows it can be given.
 *
 * @see https://standardschema.dev
 */
export interface StandardSchema<Input = unknown, Output = Input> {
  readonly '~standard': {
    readonly version: 1
    readonly vendor: string
    readonly validate: (value: unknown) => StandardResult<Output> | Promise<StandardResult<Output>>
    readonly types?: { readonly input: Input; readonly output: Output } | undefined
  }
}

/** What validating answers. */
export type StandardResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly StandardIssue[] }

/** One thing that is wrong with a value. */
export interface StandardIssue {
  readonly message: string
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined
}

/**
 * Checks an option that takes a schema.
 *
 * @param refuse - makes the error for what is no schema
 * @throws what `refuse` makes
 *
 * @example
 * ```ts
 * import { checkSchema } from '@howdah/core'
 *
 * checkSchema('input', undefined, (message) => new TypeError(message))
 * ```
 */
export function checkSchema(
  name: string,
  schema: unknown,
  refuse: (message: string) => Error,
): void {
  const standard = (schema as StandardSchema | undefined)?.['~standard']
  if (schema === undefined || typeof standard?.validate === 'function') return
  throw refuse(
    `${name} must be a schema that follows Standard Schema, such as one of zod, valibot or arktype.`,
  )
}

/**
 * Answers the value as the schema makes it.
 *
 * @param what - what the value is, for the error's message
 * @param refuse - makes the error for a value that does not fit
 * @throws what `refuse` makes
 *
 * @example
 * ```ts
 * import { type StandardSchema, validate } from '@howdah/core'
 *
 * declare const schema: StandardSchema<unknown, { id: number }>
 * const order = await validate(schema, { id: 7 }, 'The order', (message) => new TypeError(message))
 * order.id
 * ```
 */
export async function validate<Output>(
  schema: StandardSchema<unknown, Output>,
  value: unknown,
  what: string,
  refuse: (message: string, cause: unknown) => Error,
): Promise<Output> {
  const result = await schema['~standard'].validate(value)
  if (result.issues === undefined) return result.value
  const issues = result.issues.slice(0, 5).map(describe).join('; ')
  throw refuse(`${what} does not fit its schema: ${issues}`, result.issues)
}

function describe({ message, path }: StandardIssue): string {
  const keys = (path ?? []).map((part) => String(typeof part === 'object' ? part.key : part))
  return keys.length === 0 ? message : `${keys.join('.')}: ${message}`
}
