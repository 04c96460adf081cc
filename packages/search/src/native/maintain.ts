import { literal } from '@howdah/core'
import { isValueWord } from './attributes.js'
import { BULK, type Generation, MERGED, SMALLEST } from './generation.js'
import { meanLength } from './segments.js'
import { clearedOf } from './tables.js'
import { tallyByTenant, tenantOfDocument } from './tenant.js'

/** Numbers that may lie in `gone` until they are buried; a search looks at each. */
const FEW_GONE = 256
const BURIED_AT_ONCE = 1000
/** Rows that may lie in `tally`; a search sums them up. */
const MANY_TALLIES = 500
const ROWS_AT_ONCE = 10_000
/** A segment in which fewer of the slots are alive is given up. */
const ALIVE = 0.75
/** A segment made when documents were so much longer or shorter bounds scores too loosely. */
const DRIFT = 1.5

/** Takes the lock that makes maintenance of an index one at a time; it ends with the transaction. */
export function maintenanceLock({ schema, id }: Pick<Generation, 'schema' | 'id'>): string {
  return `hashtextextended(${literal(`howdah search maintenance ${schema} ${id}`)}, 0)`
}

/**
 * One step of tidying up, in a transaction of its own; answers what it did, null when there is nothing to do, and `busy` when
 * another process is at it. The first that has something to do: resolve, clear, bury, seal, merge, drain, drop, tally.
 */
export function maintainFunction(generation: Generation): string {
  const { names, definition, attributes } = generation
  const { hot, gone, missed, document, segment, posting, buried, tally } = names
  const tenant =
    definition.tenant === undefined
      ? () => ''
      : (alias: string) => `, ${tenantOfDocument(attributes, `${alias}.document`)} as tenant`
  const body = `
declare
  cleared bigint;
  batch bigint[];
  filling boolean;
  first bigint;
  slots_ int;
  one record;
  dying record;
begin
  if not pg_try_advisory_xact_lock(${maintenanceLock(generation)}) then
    return 'busy';
  end if;
  cleared := ${clearedOf(generation)};
  select filled_at is null into filling from ${generation.schema}.search_generation
  where index_id = ${generation.id} and generation = ${generation.generation};

  if not filling and exists (select from ${missed}) then
    with resolved as (delete from ${missed} returning key), dead as (
      select d.number, d.length${tenant('d')} from ${document} d join resolved m on m.key = d.key where d.filled
      union all select h.number, h.length${tenant('h')} from ${hot} h join resolved m on m.key = h.key where h.filled
    ), noted as (
      insert into ${gone} select number from dead on conflict do nothing returning number
    )
    ${
      definition.tenant === undefined
        ? `insert into ${tally}
    select max(number), -count(*), -sum(length) from dead where number in (select number from noted)
    having count(*) > 0;`
        : `${tallyByTenant(generation, '(select * from dead where number in (select number from noted)) dead', '-')};`
    }
    return 'resolved';
  end if;

  ${clearing(generation)}

  batch := array(select number from ${gone} order by number limit ${BURIED_AT_ONCE});
  if cardinality(batch) > (case when thoroughly then 0 else ${FEW_GONE} end) then
    delete from ${hot} where number = any (batch);
    ${bury(generation, `number = any (batch)`)}
    delete from ${document} where number = any (batch);
    delete from ${gone} where number = any (batch);
    return 'buried';
  end if;

  if (select count(*) from (select from ${tally} where not folded limit ${MANY_TALLIES + 1}) t) > (case when thoroughly then 0 else ${MANY_TALLIES} end) then
    -- Another statement would see what is written meanwhile.
    with fresh as (
      delete from ${tally} where not folded returning *
    ), known as (
      delete from ${tally} where folded and tenant in (select tenant from fresh) returning *
    )
    insert into ${tally} (at, documents, length, tenant, folded)
    select max(at), sum(documents), sum(length), tenant, true from (select * from fresh union all select * from known) t
    group by tenant having sum(documents) <> 0;
    return 'counted';
  end if;

  batch := array(select number from ${hot} order by number limit ${BULK});
  if cardinality(batch) >= ${SMALLEST} then
    ${takeSlots(generation)}
    with moved as (delete from ${hot} where number = any (batch) returning *)
    insert into ${document} (slot, number, key, document, length, filled, problem)
    select first - 1 + row_number() over (order by number), number, key, document, length, filled, problem
    from moved;
    perform ${names.functions.segment}(first, slots_, ${meanLength(generation, 'cleared')});
    return 'sealed';
  end if;

  select s.segment into one from ${segment} s where s.state = 'leaving' order by s.segment limit 1;
  if one.segment is not null then
    delete from ${posting} p where p.segment = one.segment and p.term = any (array(
      select term from ${posting} q where q.segment = one.segment order by term limit ${ROWS_AT_ONCE}));
    if not exists (select from ${posting} q where q.segment = one.segment) then
      delete from ${buried} b where b.segment = one.segment;
      delete from ${segment} s where s.segment = one.segment;
    end if;
    return case when exists (select from ${segment} where state = 'leaving') then 'dropping' else 'dropped' end;
  end if;
  ${merging(generation)}

  select s.segment, s.base, s.size, s.live into one from ${segment} s
  where s.state = 'ready' and not exists (select from ${segment} where state = 'building')
    and (s.live < s.size * ${ALIVE} or ${meanLength(generation, 'cleared')} not between s.mean / ${DRIFT} and s.mean * ${DRIFT})
  order by s.live::float8 / s.size limit 1;
  if one.segment is not null then
    ${draining(generation)}
    return 'drained';
  end if;

  return null;
end`
  return `create function ${names.functions.maintain}(thoroughly boolean) returns text
    language plpgsql volatile set enable_seqscan = off set jit = off set work_mem = '64MB' as ${literal(body)}`
}

/**
 * Cuts the batch to the size of a segment and takes slots for one, which begin at a multiple of its size. Nobody else takes any meanwhile.
 */
export function takeSlots({ names }: Pick<Generation, 'names'>): string {
  return `slots_ := case when cardinality(batch) < ${BULK} then ${SMALLEST} else ${BULK} end;
    batch := batch[:slots_];
    select (b.last_value + slots_ / ${SMALLEST}) / (slots_ / ${SMALLEST}) * slots_ into first from ${names.block} b;
    perform setval(${literal(names.block)}, (first + slots_) / ${SMALLEST} - 1);`
}

/** What a truncation took away goes, some rows a step, and then the note of it. */
function clearing({ names }: Generation): string {
  const { hot, gone, document, segment } = names
  const some = (table: string) => `delete from ${table} d where d.number = any (array(
      select number from ${table} where number <= cleared order by number limit ${ROWS_AT_ONCE}))`
  return `if cleared > 0 then
    delete from ${names.tally} where at <= cleared;
    delete from ${gone} where number <= cleared;
    update ${segment} set state = 'leaving', parts = null where state = 'ready' and newest <= cleared;
    update ${segment} b set state = 'leaving', parts = null where state = 'building'
      and not exists (select from ${segment} s where s.segment = any (b.parts) and s.state = 'ready');
    ${some(hot)};
    ${some(document)};
    if not exists (select from ${hot} where number <= cleared)
      and not exists (select from ${document} where number <= cleared)
    then
      delete from ${names.cleared} where below <= cleared;
    end if;
    return 'cleared';
  end if;`
}

/** Begins or goes on with a merge, of segments in a range of slots that have all been given out. */
function merging({ names }: Generation): string {
  const { segment } = names
  const begin = MERGED.map(
    (size) => `insert into ${segment} (state, base, size, newest, mean, live, parts)
    select 'building', base / ${size} * ${size}, ${size}, 0, 1, 0, array_agg(segment)
    from ${segment} where state = 'ready' and size < ${size}
      and (base / ${size} + 1) * ${size} <= (select last_value + 1 from ${names.block}) * ${SMALLEST}
    group by base / ${size} having count(*) > 1 order by base / ${size} limit 1;
  if found then
    return 'merging';
  end if;`,
  )
  return `if exists (select from ${segment} where state = 'building') then
    perform ${names.functions.merge}();
    return 'merged';
  end if;
  ${begin.join('\n  ')}`
}

/** Moves documents out of a segment: to a new one, or, when they are too few for one, back to the hot ones. */
function draining({ names }: Pick<Generation, 'names'>): string {
  const { hot, document, segment } = names
  return `batch := array(
      select d.number from ${document} d, ${segment} s
      where s.segment = one.segment and d.slot >= s.base and d.slot < s.base + s.size
      order by d.slot limit ${BULK});
    if cardinality(batch) >= ${SMALLEST} then
      ${takeSlots({ names })}
    end if;
    if cardinality(batch) = 0 then
      update ${segment} s set state = 'leaving' where s.segment = one.segment;
      return 'drained';
    end if;
    ${bury({ names }, 'number = any (batch)')}
    if cardinality(batch) < ${SMALLEST} then
      with moved as (delete from ${document} where number = any (batch) returning *)
      insert into ${hot} (number, key, document, length, filled, problem)
      select number, key, document, length, filled, problem from moved;
    else
      update ${document} d set slot = first + place.n - 1
      from unnest(batch) with ordinality place(number, n) where d.number = place.number;
      perform ${names.functions.segment}(first, slots_, ${meanLength({ names }, 'cleared')});
    end if;`
}

/** Sets the dead bits of the documents on which the condition holds, and counts their words. */
function bury({ names }: Pick<Generation, 'names'>, condition: string): string {
  return `with dead as (
      select s.segment, d.document from ${names.document} d
      join ${names.segment} s on s.state = 'ready' and d.slot >= s.base and d.slot < s.base + s.size
      where ${condition}
    )
    insert into ${names.buried} as b (segment, term, n)
    select dead.segment, u.lexeme, count(*) from dead cross join lateral unnest(dead.document) u
    where not ${isValueWord('u.lexeme')} group by 1, 2
    on conflict (segment, term) do update set n = b.n + excluded.n;
    for dying in
      select s.segment, array_agg((d.slot - s.base)::int) as slots
      from ${names.document} d
      join ${names.segment} s on s.state = 'ready' and d.slot >= s.base and d.slot < s.base + s.size
      where ${condition} group by s.segment
    loop
      declare
        bits varbit;
        slot int;
      begin
        select coalesce(dead, repeat('0', size)::varbit) into bits from ${names.segment} s where s.segment = dying.segment;
        foreach slot in array dying.slots loop
          bits := set_bit(bits, slot, 1);
        end loop;
        update ${names.segment} s set dead = bits, live = live - cardinality(dying.slots) where s.segment = dying.segment;
      end;
    end loop;`
}
