import { ident, literal } from '@howdah/core'
import { tableOf } from '../names.js'
import { countOfLexeme, normOf } from '../native/documents.js'
import type { Generation } from '../native/generation.js'
import { living, livingVariables, PLANS } from '../native/score.js'
import { requireTenant, tenantQuery } from '../native/tenant.js'

/** Words of a document that are weighed; of a longer one those that occur most often in it. */
const CONSIDERED = 1000

/**
 * The words that tell most about a document: those for which it would itself get the highest scores, each with the part of the score that does not depend on
 * how rare the word is. The document is the one of a key, of which `labels` says where the words must stand, or consists of given lexemes with their
 * counts. `minimum` is the number of other documents that must have a word.
 */
export function tellingFunction(generation: Generation): string {
  const { names, definition, keyType } = generation
  const tenants = definition.tenant !== undefined
  const documentsOf = (table: string) =>
    `select o.number, o.document, o.length from ${table} o where o.key = row_key`
  const body = `
declare
  ${livingVariables(generation)}
  documents double precision;
  mean double precision;
  idf double precision[];
  size double precision := (select sum(c) from unnest(counts) c);
  own tsvector;
begin
  known := false;
  ${requireTenant(generation)}
  if row_key is not null then
    select d.document, d.length into own, size
    from (${documentsOf(names.hot)} union all ${documentsOf(names.document)}) d
    where ${living(generation, 'd')}${tenants ? ` and d.document @@ ${tenantQuery(generation)}` : ''};
    -- Policies of the table may hide the row from who asks.
    if own is null or not exists (
      select from ${tableOf(definition)} r where r.${ident(definition.key)} = row_key::${keyType}) then
      return;
    end if;
    own := case when labels is null then own else ts_filter(own, labels::"char"[]) end;
    minimum := minimum + 1;
  end if;
  select array_agg(o.lexeme order by o.n desc, o.lexeme), array_agg(o.n order by o.n desc, o.lexeme)
  into lexemes, counts
  from (
    select u.lexeme, ${countOfLexeme(definition)} as n from unnest(own) u where positions is not null
    union all
    select g.lexeme, g.n from unnest(lexemes, counts) g(lexeme, n)
    order by 2 desc, 1 limit ${CONSIDERED}
  ) o;
  known := true;
  terms := '{}';
  parts := '{}';
  if lexemes is null then
    return;
  end if;
  select w.documents, w.mean, w.idf into documents, mean, idf
  from ${names.functions.weigh}(lexemes, array_fill(1::float8, array[cardinality(lexemes)])${tenants ? ', whose' : ''}) w;
  select coalesce(array_agg(best.lexeme order by best.worth desc, best.lexeme), '{}'),
    coalesce(array_agg(best.part order by best.worth desc, best.lexeme), '{}')
  into terms, parts
  from (
    select s.lexeme, s.part, s.part * s.rarity as worth
    from (
      select o.lexeme, o.n / (o.n + ${normOf('size')}) as part, o.rarity
      from unnest(lexemes, counts, idf) o(lexeme, n, rarity)
      -- How many documents have the word follows from how rare it is.
      where (documents + 1) / exp(o.rarity) >= minimum + 0.49
    ) s
    order by 3 desc, 1 limit most
  ) best;
end`
  return `create function ${names.functions.telling}(
      row_key text, labels text[], lexemes text[], counts float8[], minimum int, most int,${tenants ? ' whose text default null,' : ''}
      out known boolean, out terms text[], out parts float8[]
    ) language plpgsql stable ${PLANS} as ${literal(body)}`
}
