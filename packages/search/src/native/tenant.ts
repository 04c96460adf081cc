/**
 * A tenant is a value of one column, known by its word, as `attributes.ts` makes it. All that a search tells of a tenant comes from the documents that have
 * the word: how many there are and how long they are, how many of them have a word of the query.
 *
 * In an index with tenants, a search that names none finds nothing.
 */
import { ident } from '@howdah/core'
import { type Attribute, valueWord } from './attributes.js'
import type { Generation } from './generation.js'

/** Decimals that a sum of lengths is rounded to, for it must not depend on the order in which they were summed up. */
const DECIMALS = 6

/** The column of tenants as an attribute: the first, so that of a document's words its is the last to be left out. */
export function tenantAttribute([first]: readonly Attribute[]): Attribute {
  return first as Attribute
}

/** The word of the tenant whose a row is, or null. */
export function tenantOfRow(attributes: readonly Attribute[], alias: string): string {
  const attribute = tenantAttribute(attributes)
  const value = `${alias}.${ident(attribute.column)}`
  return `case when ${value} is not null then ${valueWord(attribute, value)} end`
}

/** The same of a document; the empty text where it is nobody's. */
export function tenantOfDocument(attributes: readonly Attribute[], document: string): string {
  const { number } = tenantAttribute(attributes)
  return `coalesce((select w from unnest(tsvector_to_array(${document})) w
        where starts_with(w, E'\\x01${number}=') or starts_with(w, E'\\x01${number}#') limit 1), '')`
}

/** Which documents are those of the tenant \`whose\`, as a \`tsquery\`. */
export function tenantQuery({ schema }: Pick<Generation, 'schema'>): string {
  return `${schema}.search_quote(whose)::tsquery`
}

/** The condition of a mask that has the rows of the tenant \`whose\`. */
export const TENANT_MASK = `jsonb_build_object('words', jsonb_build_array(whose))`

/** Sets the masks of the tenant's living rows where they were not given. */
export function tenantMasks({ definition, names }: Generation): string {
  if (definition.tenant === undefined) return ''
  return `if own is null then
    own := (select c.masks from ${names.functions.cut}(${TENANT_MASK}) c);
  end if;`
}

/** Sets the variables of a score, as `weighed` does, of the tenant \`whose\`, whose living rows are \`own\`. */
export function weighedTenant({ names }: Pick<Generation, 'names'>): string {
  return `select w.cleared, w.stray, w.taken, w.segments, w.bases, '{}', w.drift, w.documents, w.mean, w.idf, w.q, w.dense, w.sparse, w.hot_found
    into cleared, stray, taken, segments, bases, deads, drift, documents, mean, idf, q, dense, sparse, hot_found
    from ${names.functions.weigh}(terms, weights, whose, own) w;`
}

/** A sum of lengths, always the same for the same documents. */
export function sumOfLengths(sum: string): string {
  return `round((${sum})::numeric, ${DECIMALS})::double precision`
}

/** The end of a function of a generation that has tenants, where none is given. */
export function requireTenant({ definition }: Generation): string {
  return definition.tenant === undefined ? '' : 'if whose is null then return; end if;'
}

/** Adds to the tally what documents that are given with their tenants amount to. */
export function tallyByTenant(
  { names }: Pick<Generation, 'names'>,
  from: string,
  sign = '',
): string {
  return `insert into ${names.tally} (at, documents, length, tenant)
        select max(number), ${sign}count(*), ${sign}sum(length), coalesce(tenant, '') from ${from} group by coalesce(tenant, '')`
}

/** The column of the live row, and the value it must have. */
export function isTenants(attribute: Attribute, value: string, alias = 't'): string {
  return `${alias}.${ident(attribute.column)} = ${value}::text::${attribute.type}`
}
