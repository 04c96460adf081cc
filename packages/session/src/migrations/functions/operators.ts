import { ATTRIBUTES, BY_INDEX } from './prune.js'

/**
 * What an operator does from psql, and `Sessions` does by the same functions. A session goes by its `ref`, the SHA-256 of its id in hex: it names one
 * and opens none. A null name stands for all names.
 */
export function operatorFunctions(s: string): string[] {
  const named = `(_name is null or s.name = _name)`
  return [
    /* sql */ `create function ${s}.session_list(_user text, _name text default null)
    returns table(name text, ref text, created_at timestamptz, seen_at timestamptz, expires_at timestamptz, address text, user_agent text, label text)
    stable ${ATTRIBUTES} as $body$
#variable_conflict use_column
begin
  return query
    select s.name, encode(s.id_hash, 'hex'), s.created_at, s.seen_at, s.expires_at, s.address, s.user_agent, s.label
    from ${s}.session s
    where s.user_id = _user and ${named} and s.expires_at > statement_timestamp()
    order by s.created_at desc, s.id_hash;
end $body$`,
    /* sql */ `create function ${s}.session_revoke(_ref text, _user text default null, _name text default null) returns boolean
    ${ATTRIBUTES} as $body$
begin
  if _ref !~ '^[0-9a-fA-F]{64}$' then return false; end if;
  delete from ${s}.session s
  where s.id_hash = decode(_ref, 'hex') and ${named} and (_user is null or s.user_id = _user) and s.expires_at > statement_timestamp();
  return found;
end $body$`,
    // What a login calls where users may have so many sessions only. Answers the refs of those that ended.
    /* sql */ `create function ${s}.session_trim(_user text, _most integer, _name text) returns setof text
    ${ATTRIBUTES} ${BY_INDEX} as $body$
begin
  -- By an expression, or a plan could read the sessions of everybody in the order of the key.
  perform from ${s}.session s where s.user_id = _user and s.name = _name order by encode(s.id_hash, 'hex') for update;
  return query
    delete from ${s}.session s where s.user_id = _user and s.name = _name and s.id_hash = any(array(
      select d.id_hash from ${s}.session d
      where d.user_id = _user and d.name = _name and d.expires_at > statement_timestamp()
      order by d.created_at desc, d.id_hash offset _most
    )) returning encode(s.id_hash, 'hex');
end $body$`,
    /* sql */ `create function ${s}.session_revoke_all(_user text, _except text default null, _name text default null) returns bigint
    ${ATTRIBUTES} ${BY_INDEX} as $body$
declare
  revoked bigint;
begin
  -- Locked in the order in which saves lock, so that neither waits for the other in turns; deleted by a statement that sees what was saved meanwhile.
  perform from ${s}.session s where s.user_id = _user and ${named} order by s.name, encode(s.id_hash, 'hex') for update;
  delete from ${s}.session s
  where s.user_id = _user and ${named} and (_except is null or encode(s.id_hash, 'hex') <> lower(_except));
  get diagnostics revoked = row_count;
  return revoked;
end $body$`,
  ]
}
