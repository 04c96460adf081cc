import { ident, literal } from '@howdah/core'
import { configOf, indexedText, plainText } from '../language/language.js'
import { tableOf } from '../names.js'
import { fieldsOf } from '../options.js'
import { COMPLETIONS } from '../query/query-planner.js'
import { labelsIn } from '../sql/searched.js'
import type { Generation } from './generation.js'
import { MAX_WORDS } from './native-query.js'
import { PLANS } from './score.js'

/** Characters of a beginning that has no word. */
const MAX_BEGINNING = 200

/**
 * A search for SQL: understands a query as `query/` does, but for corrections, synonyms and stop words of rules, and asks the engine for what
 * `native-query.ts` would make of it.
 *
 * `g_` arrays have a place for each group, `l_` ones for each lexeme of a group's alternatives, `x_` ones for what is excluded.
 */
export function askFunction(generation: Generation): string {
  if (generation.definition.tenant !== undefined) return refusingFunction(generation)
  const { schema: s, definition } = generation
  const fields = fieldsOf(definition)
  const body = `
#variable_conflict use_variable
declare
  c record; one record; document tsvector; labels text; stem text;
  nonblank boolean := false; plain boolean := true;
  g_branch int[] := '{}'; g_required boolean[] := '{}'; g_field text[] := '{}'; g_bare text[] := '{}'; g_query text[] := '{}'; g_star boolean[] := '{}';
  l_group int[] := '{}'; l_lexeme text[] := '{}'; stems text[] := '{}';
  x_query text; x_stars text[] := '{}'; x_stems text[] := '{}'; x_seeks text[] := '{}';
  terms text[]; weights double precision[]; units int[]; wanted text; stars text[]; seeks text[];
  all_required boolean; unit_count int; any_of boolean; need int;
  pinned text[]; hidden text[]; found_keys text[]; found_scores double precision[];
begin
  for c in select p.* from ${s}.search_parse(query, array[${fields.map(literal).join(', ')}]::text[]) p loop
    ${eachClause(generation, fields)}
  end loop;
  ${resultRules(generation, 'pinned')}
  ${resultRules(generation, 'hidden')}
  if not nonblank then
    ${listed(generation)}
    return;
  end if;
  ${compiled()}
  ${found(generation)}
end`
  return created(generation, body)
}

function created({ names }: Generation, body: string): string {
  return `create function ${names.functions.ask}(query text, all_ boolean, hits int, skip int)
    returns table (key text, score double precision, "row" jsonb, total bigint)
    language plpgsql stable ${PLANS} as ${literal(body)}`
}

/** Whose rows are searched cannot be said in SQL. */
function refusingFunction(generation: Generation): string {
  const message = `The search index '${generation.definition.name}' has tenants, and search() in SQL takes none. Use search() of @howdah/search with the option tenant.`
  return created(
    generation,
    `begin
  raise feature_not_supported using message = ${literal(message)};
end`,
  )
}

/** Adds the groups of one clause, as `compile-query.ts` does. */
function eachClause(generation: Generation, fields: readonly string[]): string {
  const { schema: s, definition, language, vocabulary } = generation
  const labelsOf = labelsIn(definition)
  const labels = fields.map((field) => `when ${literal(field)} then ${literal(labelsOf(field))}`)
  const vector = (text: string) =>
    `to_tsvector(${configOf(language)}, ${indexedText(s, language, text)})`
  const beginning = `coalesce((
          select w.word from ${s}.search_tokens(${plainText(language, 'c.text')}) with ordinality w(word, at) order by w.at desc limit 1),
        left(lower(c.text), ${MAX_BEGINNING}))`
  const phrase = (marks: string) => `'(' || ${s}.search_phrase(document, ${marks}) || ')'`
  const star = (marks: string) => `'(' || ${s}.search_quote(stem) || ':*' || ${marks} || ')'`
  const words = (marks: string) =>
    `(select string_agg('(' || ${s}.search_quote(l) || ${marks} || ')', ' | ') from unnest(one.lexemes) l)`
  return `document := ${vector('c.text')};
    labels := case c.field ${labels.join(' ')} else '' end;
    if c.excluded then
      if c.kind = 'prefix' then
        stem := ${beginning};
        x_stems := x_stems || stem;
        x_stars := x_stars || (${star("''")});
        x_query := concat_ws(' | ', x_query, ${star('labels')});
      else
        x_query := nullif(concat_ws(' | ', x_query, ${phrase('labels')}), '');
        x_seeks := x_seeks || tsvector_to_array(document);
      end if;
      continue;
    end if;
    nonblank := true;
    plain := plain and c.kind = 'word' and c.field is null;
    if c.kind = 'phrase' then
      continue when document = '';
      ${addGroup('true', phrase("''"), phrase('labels'), 'false')}
      for one in select p.lexemes from ${s}.search_steps(document) p loop
        ${addLexemes('one.lexemes')}
      end loop;
      continue;
    end if;
    for one in
      select p.lexemes, count(*) over () as n, row_number() over (order by p.at) as nth
      from ${s}.search_steps(document) p order by p.at
    loop
      exit when c.kind = 'prefix' and one.nth = one.n;
      -- Documents that have the parts of a compound without its hyphen have all that was asked for.
      ${addGroup(
        `(all_ or c.field is not null)
          and not (one.n > 1 and exists (select from unnest(one.lexemes) l where strpos(l, '-') > 0))`,
        words("''"),
        words(`case labels when '' then '' else ':' || labels end`),
        'false',
      )}
      ${addLexemes('one.lexemes')}
    end loop;
    if c.kind = 'prefix' then
      stem := ${beginning};
      ${addGroup('all_ or c.field is not null', star("''"), star('labels'), 'true')}
      stems := stems || stem;
      for one in
        select w.word from ${s}.search_vocabulary v cross join lateral ${s}.search_completions(v.id, stem, ${COMPLETIONS}) w
        where v.index_id = ${vocabulary} and v.tenant = ''
      loop
        document := ${vector('one.word')};
        continue when document = '';
        g_bare[cardinality(g_bare)] := g_bare[cardinality(g_bare)] || ' | ' || ${phrase("''")};
        g_query[cardinality(g_query)] := g_query[cardinality(g_query)] || ' | ' || ${phrase('labels')};
        ${addLexemes('tsvector_to_array(document)')}
      end loop;
    end if;`
}

function addGroup(required: string, bare: string, query: string, star: string): string {
  return `g_branch := g_branch || c.branch;
      g_required := g_required || (${required});
      g_field := g_field || coalesce(c.field, '');
      g_bare := g_bare || (${bare});
      g_query := g_query || (${query});
      g_star := g_star || (${star});`
}

function addLexemes(lexemes: string): string {
  return `l_group := l_group || array_fill(cardinality(g_branch), array[cardinality(${lexemes})]);
        l_lexeme := l_lexeme || ${lexemes};`
}

/** Keys that rules pin or hide, those of the query itself before those of every query. */
function resultRules({ schema: s, id }: Generation, which: 'pinned' | 'hidden'): string {
  return `select coalesce(array_agg(o.key order by o.first), '{}') into ${which}
  from (
    select r.key, min(r.at) as first
    from (
      select k.key, row_number() over (order by rule.rule ->> 'query' is null, rule.at, k.at) as at
      from ${s}.search_rules r
      cross join jsonb_array_elements(r.results) with ordinality rule(rule, at)
      cross join jsonb_array_elements_text(rule.rule -> '${which}') with ordinality k(key, at)
      where r.index_id = ${id} and coalesce(${s}.search_normal(rule.rule ->> 'query') = ${s}.search_normal(query), true)
    ) r group by r.key
  ) o;`
}

/** Everything but what is excluded, for a query without words. */
function listed({ definition, names, keyType }: Generation): string {
  const key = `t.${ident(definition.key)}`
  const order = definition.sort.map(
    ({ column, order }) => `t.${ident(column)} ${order} nulls last, `,
  )
  return `return query
    with found as materialized (
      select m.key from ${names.functions.match}(
        false, '{}', '{}', '{}', 1, x_query::tsquery, null, '{}', x_stars::tsquery[], x_stems, x_seeks, null, null) m
    ), listed as materialized (
      select ${key}::text as key, row_number() over (
          order by array_position(pinned, ${key}::text), ${order.join('')}${key}::text collate "C") as place
      from ${tableOf(definition)} t
      where (${key} not in (select f.key::${keyType} from found f) or ${key}::text = any (pinned))
        and ${key}::text <> all (hidden) and ${key} is not null
    )
    select l.key, 0::double precision, to_jsonb(t), (select count(*) from listed)
    from listed l join ${tableOf(definition)} t on ${key} = l.key::${keyType}
    where l.place > skip and l.place <= skip + hits order by l.place;`
}

/** Makes of the groups what `nativeQuery` does. */
function compiled(): string {
  const words = (column: string) =>
    `(select coalesce(array_agg(w.${column} order by w.unit, w.lexeme collate "C"), '{}') from word w)`
  return `with g as (
    select g.*, min(g.at) over (partition by g.field, g.bare) as first
    from unnest(g_branch, g_required, g_field, g_bare, g_query, g_star)
      with ordinality g(branch, required, field, bare, query, star, at)
  ), numbered as (
    select g.*, (dense_rank() over (order by g.first) - 1)::int as unit, bool_or(g.required) over (partition by g.branch) as some
    from g
  ), lexeme as (
    select n.*, l.lexeme from numbered n join unnest(l_group, l_lexeme) l(at, lexeme) on l.at = n.at
  ), word as (
    select l.unit, l.lexeme, count(*)::double precision as weight from lexeme l where not l.star group by l.unit, l.lexeme
  )
  select ${words('lexeme')}, ${words('weight')}, ${words('unit')},
    (select string_agg(b.query, ' | ') from (
      select '(' || string_agg('(' || n.query || ')', case when n.some then ' & ' else ' | ' end) || ')' as query
      from numbered n where n.required or not n.some group by n.branch, n.some) b),
    (select coalesce(array_agg(n.bare order by n.at), '{}') from numbered n where n.star),
    (select coalesce(array_agg(distinct l.lexeme), '{}') from lexeme l where l.required or not l.some or l.star),
    (select count(distinct n.branch) = 1 and bool_and(n.required) from numbered n),
    (select count(distinct n.unit)::int from numbered n),
    (select not bool_or(n.required) or count(*) = count(distinct n.branch) from numbered n)
  into terms, weights, units, wanted, stars, seeks, all_required, unit_count, any_of;
  need := case when all_required then unit_count else 1 end;`
}

/** The page: from the best k where nothing but the query decides, else from all that matches and the caller sees. */
function found({ definition, names, keyType }: Generation): string {
  const key = `t.${ident(definition.key)}`
  const table = tableOf(definition)
  const asked = (simple: string) =>
    `${simple}, terms, weights, units, need, wanted::tsquery, x_query::tsquery, '{}', stars::tsquery[], stems, seeks`
  const simple = `plain and x_query is null and cardinality(terms) <= ${MAX_WORDS} and (all_required or any_of)`
  return `if pinned = '{}' and hidden = '{}' and not row_security_active(${literal(table)}::regclass) then
    select f.keys, f.scores, f.total into found_keys, found_scores, total
    from ${names.functions.search}(${asked(simple)}, null, skip + hits) f;
    return query
    select u.key, u.score, to_jsonb(t), total
    from unnest(found_keys, found_scores) with ordinality u(key, score, place) join ${table} t on ${key} = u.key::${keyType}
    where u.place > skip and u.place <= skip + hits order by u.place;
    return;
  end if;
  return query
  with found as materialized (
    select m.key, m.score from ${names.functions.match}(${asked('false')}, null, null) m
  ), placed as materialized (
    select f.key, f.score, row_number() over (
      order by array_position(pinned, f.key collate "default"), f.score desc, f.key collate "C") as place
    from (
      select f.key, f.score from found f
      union all
      select p.key, 0 from unnest(pinned) p(key)
      where p.key not in (select f.key from found f)
        and exists (
          select from ${names.hot} h where h.key = p.key
          union all select from ${names.document} d where d.key = p.key)
    ) f join ${table} t on ${key} = f.key::${keyType}
    where f.key <> all (hidden)
  )
  select p.key, p.score, to_jsonb(t), (select count(*) from placed)
  from placed p join ${table} t on ${key} = p.key::${keyType}
  where p.place > skip and p.place <= skip + hits order by p.place;`
}
