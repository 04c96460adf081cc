import { ident, literal } from '@howdah/core'
import { tableOf } from '../names.js'
import { countWords } from '../sql/note-words.js'
import { documents, notedTexts, rowTexts } from './documents.js'
import { BULK, CANONICAL, type Generation } from './generation.js'
import { maintenanceLock, takeSlots } from './maintain.js'
import { meanLength } from './segments.js'
import { clearedOf } from './tables.js'
import { tallyByTenant, tenantOfDocument } from './tenant.js'

/**
 * One step of filling an index with the rows that are there, in the order of their key; answers whether it was the last. Takes no lock
 * that a writer could wait for. A row whose document is there, or whose key a writer has noted, is passed over.
 */
export function fillFunction(generation: Generation): string {
  const { schema, id, definition, language, vocabulary, names, keyType } = generation
  const key = `r.${ident(definition.key)}`
  const own = `index_id = ${id} and generation = ${generation.generation}`
  const batch = (condition: string) => `select array_agg(key) from (
      select ${key}::text as key from ${tableOf(definition)} r where ${condition}
      order by ${key} limit ${BULK}) b`
  const known = (
    table: string,
  ) => `exists (select from ${table} d where d.key = ${key}::text collate "C"
      and not exists (select from ${names.gone} g where g.number = d.number))`
  const rows = rowTexts(
    generation,
    tableOf(definition),
    `${key} in (select k::${keyType} from unnest(keys) k)
      and not exists (select from ${names.missed} m where m.key = ${key}::text collate "C")
      and not ${known(names.hot)} and not ${known(names.document)}`,
  )
  const noted = { index: vocabulary, language, from: notedTexts(generation, 'fresh', 1) }
  const insert = (form: 'fast' | 'safe') => `with fresh as materialized (${rows}), noted as (
      ${countWords(schema, noted)}
    )
    insert into ${names.document}
      (slot, number, key, document, length, filled, problem)
    select first - 1 + row_number() over (), nextval(${literal(names.number)}), key, document, length, true, problem
    from (${documents(generation, 'select * from fresh', form)}) made`
  const body = `
declare
  state record;
  keys text[];
  batch bigint[] := array_fill(0::bigint, array[${BULK}]);
  slots_ int;
  first bigint;
  made int;
begin
  perform pg_advisory_xact_lock(${maintenanceLock(generation)});
  select last_key, filled_at into state from ${schema}.search_generation where ${own};
  if state.filled_at is not null then
    return true;
  end if;
  if state.last_key is null then
    keys := (${batch(`${key} is not null`)});
  else
    keys := (${batch(`${key} > state.last_key::${keyType}`)});
  end if;
  if keys is null then
    update ${schema}.search_generation set filled_at = now() where ${own};
    return true;
  end if;
  ${takeSlots(generation)}
  begin
    ${insert('fast')};
    get diagnostics made = row_count;
  exception when others then
    ${insert('safe')};
    get diagnostics made = row_count;
  end;
  ${
    definition.tenant === undefined
      ? `insert into ${names.tally} select max(number), count(*), sum(length) from ${names.document}
  where slot >= first and slot < first + ${BULK} having count(*) > 0;`
      : `${tallyByTenant(
          generation,
          `(select d.number, d.length, ${tenantOfDocument(generation.attributes, 'd.document')} as tenant
        from ${names.document} d where d.slot >= first and d.slot < first + ${BULK}) d`,
        )};`
  }
  if made = ${BULK} then
    perform ${names.functions.segment}(first, slots_, ${meanLength(generation, clearedOf(generation))});
  else
    with moved as (delete from ${names.document} where slot >= first and slot < first + ${BULK} returning *)
    insert into ${names.hot} (number, key, document, length, filled, problem)
    select number, key, document, length, filled, problem from moved;
  end if;
  update ${schema}.search_generation
  set last_key = keys[cardinality(keys)], filled = filled + cardinality(keys) where ${own};
  return false;
end`
  return `create function ${names.functions.fill}() returns boolean
    language plpgsql volatile set enable_seqscan = off set jit = off set row_security = off
    ${CANONICAL.map((setting) => `set ${setting}`).join(' ')} as ${literal(body)}`
}
