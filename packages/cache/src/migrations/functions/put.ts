import { entryTable, type Family } from '../family.js'
import {
  ATTRIBUTES,
  assignments,
  BE_PATIENT,
  COLUMNS,
  enter,
  INPUT,
  inKeyOrder,
  leave,
  live,
  nextVersion,
  PATIENCE,
  PLAIN_INPUT,
  rowOf,
  VARIABLES,
} from '../fragments.js'

const PARAMETERS = `_namespace text, _keys text[], _values text[], _ttls float8[], _extras jsonb default null, ${PATIENCE}`

/**
 * The writes of whole values. Each takes its rows in the order of their keys, so that two batches over the same keys cannot
 * deadlock, and draws one version for all.
 *
 * - `cache_put` overwrites.
 * - `cache_add` writes where nothing live is, `cache_replace` where something is; both answer the keys written and the version.
 * - `cache_swap` replaces a value whose version is still the one expected.
 */
export function putFunctions(s: string, family: Family): string[] {
  const table = entryTable(s, family)
  const { suffix } = family
  const insert = (input: string, condition = '') => /* sql */ `
    insert into ${table} as e (${COLUMNS})
    select ${rowOf(s)} from (${input}) i ${inKeyOrder('i.key')}
    on conflict (namespace, key) do update set ${assignments('excluded')}
    ${condition}`
  const update = (condition: string) => /* sql */ `
    with input as materialized (${INPUT}),
    locked as materialized (
      select e.key from ${table} e where e.namespace = ns and e.key = any(_keys) order by e.key for update
    )
    update ${table} e set ${assignments('r')}
    from (select ${rowOf(s)}, i.n from input i join locked l on l.key = i.key) r(${COLUMNS}, n)
    where e.namespace = ns and e.key = r.key and ${condition}
    returning e.key`
  const begin = (create: boolean) =>
    `${enter(s, { create, family })}${BE_PATIENT}\n  ver := ${nextVersion(s)};`
  const conditional = (name: string, parameters: string, create: boolean, statement: string) =>
    /* sql */ `create function ${s}.${name}${suffix}(${parameters}) returns table(key text, version text)
    ${ATTRIBUTES} as $body$
#variable_conflict use_column
declare ${VARIABLES}
  written text[];
begin ${begin(create)}
  with w as (${statement}) select array_agg(w.key) into written from w;
  ${leave(s, 'written')}
  return query select w, ver::text from unnest(written) as w;
end $body$`
  return [
    /* sql */ `create function ${s}.cache_put${suffix}(${PARAMETERS}) returns void
    ${ATTRIBUTES} as $body$
#variable_conflict use_column
declare ${VARIABLES}
begin ${begin(true)}
  if _extras is null then ${insert(PLAIN_INPUT)};
  else ${insert(INPUT)};
  end if;
  ${leave(s, '_keys')}
end $body$`,
    conditional(
      'cache_add',
      PARAMETERS,
      true,
      `${insert(INPUT, `where not ${live(s, 'e')}`)} returning e.key`,
    ),
    conditional('cache_replace', PARAMETERS, false, update(live(s, 'e'))),
    conditional(
      'cache_swap',
      PARAMETERS.replace(', _extras', ', _expected bigint[], _extras'),
      false,
      update(`e.version = _expected[r.n] and ${live(s, 'e')}`),
    ),
  ]
}
