import { defineStatement, type Statement } from '@howdah/core'

/** A statement on the entries of logged or of unlogged namespaces. */
export type FamilyStatement<Args extends readonly unknown[], Row> = (
  schema: string,
  logged: boolean,
  ...args: Args
) => Statement<Row>

/** Makes the function for a statement that exists once for each of the two tables of entries. */
export function defineInFamily<Args extends readonly unknown[], Row = unknown>(
  label: string,
  text: (schema: string, suffix: '' | '_logged') => string,
  values: (...args: Args) => readonly unknown[],
): FamilyStatement<Args, Row> {
  const unlogged = defineStatement<Args, Row>(label, (s) => text(s, ''), values)
  const logged = defineStatement<Args, Row>(label, (s) => text(s, '_logged'), values)
  return (schema, isLogged, ...args) => (isLogged ? logged : unlogged)(schema, ...args)
}
