import { ATTRIBUTES } from './fragments.js'

/** How long a registration lasts. */
const LASTS = '2 minutes'
/** A registration that lasts this much longer is not renewed: another process has just done so. */
const RENEWED_BELOW = '90 seconds'
/** Longest time between the look at the clock and the commit of a renewal. */
const RENEWED_ABOVE = '20 seconds'

/**
 * What processes with a near cache call. They use two columns of `cache_namespace`: writers tell what they change while
 * `near_until` lies ahead, and `near_epoch` is another one after every lapse.
 *
 * - `cache_near` renews a registration, or begins one. It waits for nobody: where someone holds the row (a transaction that clears
 *   the namespace, another process that renews) it answers what stands there. A registration that has all but lapsed begins anew, so
 *   that one epoch never has a moment in it at which a writer found nobody to tell.
 * - `cache_near_prove` sends a nonce after checking that registrations hold. Whoever receives it knows: up to when it
 *   was sent, writers told what they did, and it has come in. It waits for no flush to disk, for nothing is lost with it.
 */
export function nearFunctions(s: string): string[] {
  return [
    /* sql */ `create function ${s}.cache_near(_namespace text, _logged boolean,
      out _id integer, out _epoch text, out _ms float8)
    ${ATTRIBUTES} as $body$
declare
  until timestamptz;
begin
  select n.near_until into until from ${s}.cache_namespace n where n.name = _namespace;
  if not found then
    perform ${s}.cache_open(_namespace, _logged);
  end if;
  if until is null or until < clock_timestamp() + interval '${RENEWED_BELOW}' then
    perform from ${s}.cache_namespace n where n.name = _namespace for update skip locked;
    if found then
      update ${s}.cache_namespace n set
        near_epoch = case when n.near_until > clock_timestamp() + interval '${RENEWED_ABOVE}'
          then n.near_epoch else gen_random_uuid() end,
        near_until = clock_timestamp() + interval '${LASTS}'
      where n.name = _namespace;
    end if;
  end if;
  select n.id, n.near_epoch::text,
      coalesce(extract(epoch from n.near_until - clock_timestamp()) * 1000, 0)
    into _id, _epoch, _ms from ${s}.cache_namespace n where n.name = _namespace;
end $body$`,
    /* sql */ `create function ${s}.cache_near_prove(_nonce text, _ids integer[], _epochs uuid[]) returns boolean
    ${ATTRIBUTES} as $body$
declare
  holding bigint;
begin
  perform set_config('synchronous_commit', 'off', true);
  select count(*) into holding
  from unnest(_ids, _epochs) as u(id, epoch)
  join ${s}.cache_namespace n on n.id = u.id and n.near_epoch = u.epoch and n.near_until > clock_timestamp();
  if holding < cardinality(_ids) then return false; end if;
  perform ${s}.hub_tell('cache', '!', to_jsonb(_nonce));
  return true;
end $body$`,
  ]
}
