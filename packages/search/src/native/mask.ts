/**
 * Masks: for each segment a bit for every row that a condition holds for, made of the postings of words. Masks stand in the order of the segments by
 * their base; a null stands for no row at all. Documents that are in no segment get the same condition as a `tsquery`.
 */
import { literal } from '@howdah/core'
import { type Attribute, typedValue, valueWord, valueWords } from './attributes.js'
import { eachPlane, type Generation } from './generation.js'
import { livingVariables, PLANS, postingOf, takenDocuments } from './score.js'

/** A word that no document has, for a condition that holds for none. */
const NOTHING = "E'''\\x01'''"
/** Slots of the pieces that a mask is put together of. */
const PIECE = 4096

/** Kinds of values that `range` is compared by, for these are never so long that they are hashed: their words tell them apart. */
export function hasRanges({ kind }: Pick<Attribute, 'kind'>): boolean {
  return kind !== 'text' && kind !== 'varchar' && kind !== 'bpchar'
}

/** A mask with bits at some slots, counted from 0. Set in pieces, since each bit that is set copies what it is in. */
export function bitsFunction({ schema, names }: Generation): string {
  const body = `
    select substring(${schema}.search_concat(b.bits::varbit order by b.piece) from 1 for size)
    from (
      select u.piece, ${schema}.search_plane_${PIECE}(u.at, 1) as bits
      from (
        select slot / ${PIECE} as piece, slot % ${PIECE} as at from unnest(slots) slot
        union all select g, null from generate_series(0, greatest(size / ${PIECE}, 1) - 1) g
      ) u group by u.piece
    ) b`
  return `create function ${names.functions.bits}(slots int[], size int) returns varbit
    language sql immutable strict as ${literal(body)}`
}

/**
 * The masks of a condition, which is one of
 * - `and`, `or`: of several conditions, `not`: of one;
 * - `words`: a row has one of them at least;
 * - `column` and `any`: one of its values is one of these; `column` and `range`: one of its values is in it.
 *
 * A column's number says what its values are made of, and which type they are compared by.
 */
export function maskFunction(generation: Generation): string {
  const { schema, attributes, names } = generation
  const body = `
#variable_conflict use_column
declare
  terms text[];
  child jsonb;
  more varbit[];
  query text;
  first boolean := true;
  gt text; gte text; lt text; lte text;
begin
  masks := array_fill(null::varbit, array[coalesce(cardinality(segments), 0)]);
  if node ? 'and' or node ? 'or' then
    for child in select c.value from jsonb_array_elements(coalesce(node->'and', node->'or')) c loop
      select m.masks, m.hot into more, query from ${names.functions.mask}(child, segments, bases, sizes) m;
      for j in 1..cardinality(masks) loop
        masks[j] := case when first then more[j] when node ? 'and' then masks[j] & more[j] else coalesce(masks[j] | more[j], masks[j], more[j]) end;
      end loop;
      hot := case when first then query else hot || case when node ? 'and' then ' & ' else ' | ' end || query end;
      first := false;
    end loop;
    hot := '(' || hot || ')';
    return;
  elsif node ? 'not' then
    select m.masks, m.hot into more, query from ${names.functions.mask}(node->'not', segments, bases, sizes) m;
    for j in 1..cardinality(masks) loop
      masks[j] := coalesce(~more[j], ('x' || repeat('f', sizes[j] / 4))::varbit);
    end loop;
    hot := '!' || query;
    return;
  end if;
  if node ? 'words' then
    terms := array(select w.value from jsonb_array_elements_text(node->'words') w);
  ${attributes.length === 0 ? '' : ofColumns(generation)}
  end if;
  ${collected(generation, `unnest(terms) t(term) ${postingOf(names.posting)}`)}
  hot := coalesce('(' || (select string_agg(${schema}.search_quote(t), ' | ') from unnest(terms) t) || ')', ${NOTHING});
end`
  return `create function ${names.functions.mask}(
      node jsonb, segments int[], bases bigint[], sizes int[], out masks varbit[], out hot text
    ) language plpgsql stable ${PLANS} as ${literal(body)}`
}

/** The branches of conditions on columns, which say what is sought as \`terms\`, or find it. */
function ofColumns(generation: Generation): string {
  const { attributes } = generation
  const words = attributes.map(
    (one) => `when ${one.number} then terms := array(
        select ${valueWord(one, `o.value::${one.type}`)} from jsonb_array_elements_text(node->'any') o);`,
  )
  const ranges = attributes
    .filter(hasRanges)
    .map((one) => `when ${one.number} then ${rangeMasks(generation, one)}`)
  return `elsif node ? 'any' then
    case (node->>'column')::int
      ${words.join('\n      ')}
    end case;
  ${
    ranges.length === 0
      ? ''
      : `else
    gt := node->'range'->>'gt'; gte := node->'range'->>'gte'; lt := node->'range'->>'lt'; lte := node->'range'->>'lte';
    case (node->>'column')::int
      ${ranges.join('\n      ')}
    end case;
    hot := coalesce('(' || hot || ')', ${NOTHING});
    return;`
  }`
}

/** Sets the masks to the rows of postings \`p\`, a query of which is given for a segment \`s\`. */
function collected({ names }: Generation, postings: string): string {
  const all = eachPlane((plane) => `p.plane_${plane}`, ' | ')
  return `select array_agg(coalesce(d.plane | l.plane, d.plane, l.plane) order by s.at) into masks
    from unnest(segments, bases, sizes) with ordinality s(segment, base, size, at)
    cross join lateral (
      select bit_or(coalesce(p.held, ${all}))::varbit as plane from (select p.* from ${postings} where p.slots is null) p
    ) d
    cross join lateral (
      select ${names.functions.bits}(array_agg((slot - s.base)::int), s.size) as plane
      from (select p.* from ${postings} where p.slots is not null) p cross join lateral unnest(p.slots) slot
    ) l;
  masks := coalesce(masks, '{}');`
}

/** The values between the bounds are found among those that there are, each compared by its type. */
function rangeMasks(generation: Generation, attribute: Attribute): string {
  const { schema, names } = generation
  const { type } = attribute
  const { first, end } = valueWords(attribute)
  const signs = { gt: '>', gte: '>=', lt: '<', lte: '<=' }
  const within = (term: string) => {
    const value = typedValue(attribute, `substr(${term}, length(${first}) + 1)`)
    return Object.entries(signs)
      .map(([name, sign]) => {
        return `(${name} is null or ${value} ${sign} ${name}::${type})`
      })
      .join(' and ')
  }
  const postings = `(select * from (select * from ${names.posting} p where p.segment = s.segment
        and p.term >= ${first} collate "C" and p.term < ${end} collate "C" offset 0) p
        where ${within('p.term')}) p`
  return `hot := (
        select string_agg(distinct ${schema}.search_quote(w), ' | ')
        from ${names.hot} h cross join lateral (
          select w from unnest(tsvector_to_array(h.document)) w
          where w >= ${first} collate "C" and w < ${end} collate "C" offset 0
        ) one where ${within('w')});
      ${collected(generation, postings)}`
}

/**
 * The masks of the rows that a condition holds for and that are in the index; of all of these, where there is no condition. And the
 * segments that they are of.
 */
export function cutFunction(generation: Generation): string {
  const { names } = generation
  const body = `
#variable_conflict use_column
declare
  ${livingVariables(generation)}
  deads varbit[];
  query text;
begin
  select array_agg(s.segment order by s.base), array_agg(s.base order by s.base), array_agg(s.size order by s.base), array_agg(s.dead order by s.base)
  into segments, bases, sizes, deads
  from ${names.segment} s where s.state = 'ready' and s.newest > cleared;
  segments := coalesce(segments, '{}'); bases := coalesce(bases, '{}'); sizes := coalesce(sizes, '{}'); deads := coalesce(deads, '{}');
  if node is null then
    masks := array_fill(null::varbit, array[cardinality(segments)]);
    for j in 1..cardinality(segments) loop
      masks[j] := coalesce(~deads[j], ('x' || repeat('f', sizes[j] / 4))::varbit);
    end loop;
  else
    select m.masks, m.hot into masks, query from ${names.functions.mask}(node, segments, bases, sizes) m;
    hot := query::tsquery;
    for j in 1..cardinality(segments) loop
      if deads[j] is not null then
        masks[j] := masks[j] & ~deads[j];
      end if;
    end loop;
  end if;
  if taken <> '{}' then
    select array_agg(case when g.bits is null then m.mask else m.mask & ~g.bits end order by m.at) into masks
    from unnest(masks) with ordinality m(mask, at)
    left join lateral (
      select ${names.functions.bits}(array_agg((d.slot - bases[m.at])::int), sizes[m.at]) as bits
      from ${takenDocuments(generation)} where d.slot >= bases[m.at] and d.slot < bases[m.at] + sizes[m.at]
    ) g on true;
  end if;
  masks := coalesce(masks, '{}');
end`
  return `create function ${names.functions.cut}(
      node jsonb, out segments int[], out bases bigint[], out sizes int[], out masks varbit[], out hot tsquery
    ) language plpgsql stable ${PLANS} as ${literal(body)}`
}
