import { nameOnTable } from '../names.js'

/** The columns that a generation adds to its table, by their unquoted names. */
export function columnNames(
  schema: string,
  index: string,
  generation: number,
): { readonly document: string; readonly length: string } {
  return {
    document: nameOnTable(schema, index, generation, 'document'),
    length: nameOnTable(schema, index, generation, 'length'),
  }
}
