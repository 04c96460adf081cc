import { searchError } from '../errors.js'

/** How hits are to be shown. */
export interface HighlightOptions {
  /** Fields to show. @defaultValue every field of the index */
  readonly fields?: readonly string[] | undefined
  /** Stands before each match; it is printed as it is, so it must be safe where it is printed. @defaultValue `'<mark>'` */
  readonly before?: string | undefined
  /** Stands after each match; printed as it is. @defaultValue `'</mark>'` */
  readonly after?: string | undefined
  /** Characters of a snippet, about; `null` shows whole fields. @defaultValue `200` */
  readonly length?: number | null | undefined
  /** Snippets of a field, at most. @defaultValue `1` */
  readonly snippets?: number | undefined
  /** Stands where text was left out; printed as it is. @defaultValue `'…'` */
  readonly ellipsis?: string | undefined
}

/** {@link HighlightOptions} with the defaults filled in. */
export interface ResolvedHighlight {
  readonly fields: readonly string[]
  readonly before: string
  readonly after: string
  readonly length: number | undefined
  readonly snippets: number
  readonly ellipsis: string
}

const MAX_LENGTH = 100_000
const MAX_SNIPPETS = 20

/** @throws {@link HowdahError} SEARCH_INVALID_QUERY */
export function resolveHighlight(
  options: HighlightOptions | true,
  fields: readonly string[],
): ResolvedHighlight {
  if (options !== true && (typeof options !== 'object' || options === null)) {
    throw invalid('highlight must be true or an object of options.')
  }
  const given = options === true ? {} : options
  const { fields: chosen = fields, length = 200, snippets = 1 } = given
  const { before = '<mark>', after = '</mark>', ellipsis = '…' } = given
  if (!Array.isArray(chosen) || chosen.some((field) => !fields.includes(field))) {
    throw invalid(
      `highlight.fields must be an array of fields of this index: ${fields.join(', ')}.`,
    )
  }
  if ([before, after, ellipsis].some((mark) => typeof mark !== 'string')) {
    throw invalid('before, after and ellipsis of highlight must be strings.')
  }
  return Object.freeze({
    fields: [...new Set(chosen)],
    before,
    after,
    length: length === null ? undefined : whole(length, 'length', MAX_LENGTH),
    snippets: whole(snippets, 'snippets', MAX_SNIPPETS),
    ellipsis,
  })
}

function whole(value: unknown, option: string, max: number): number {
  if (Number.isSafeInteger(value) && (value as number) >= 1 && (value as number) <= max) {
    return value as number
  }
  throw invalid(`highlight.${option} must be a whole number from 1 to ${max}.`)
}

function invalid(message: string) {
  return searchError('SEARCH_INVALID_QUERY', message)
}
