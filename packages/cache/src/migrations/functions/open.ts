import { ATTRIBUTES } from '../fragments.js'

/** Makes a namespace known; answers its number. */
export function openFunction(s: string): string {
  return /* sql */ `create function ${s}.cache_open(_namespace text, _logged boolean default false) returns integer
    ${ATTRIBUTES} as $body$
declare
  found record;
begin
  select n.id, n.logged into found from ${s}.cache_namespace n where n.name = _namespace;
  if found is null then
    insert into ${s}.cache_namespace (name, logged) values (_namespace, _logged) on conflict do nothing;
    select n.id, n.logged into found from ${s}.cache_namespace n where n.name = _namespace;
  end if;
  if found.logged <> _logged then
    raise object_not_in_prerequisite_state using message = format(
      'The cache namespace %L is kept %s.', _namespace, case when found.logged then 'logged' else 'unlogged' end);
  end if;
  return found.id;
end $body$`
}
