import { literal, type Migration } from '@howdah/core'

/**
 * Who is present where: one row for each time an id joined, which belongs to the hub named in it and counts for as long as that hub
 * lives. UNLOGGED: a crash of the server ends every connection too, and processes that live enter their rows again.
 *
 * `topic` is a digest of the name, for an index cannot hold a name of any length. `data` is JSON as text, which keeps every string JSON can say.
 */
export const presence: Migration = {
  version: 4,
  name: 'presence',
  up: (s) => [
    /* sql */ `create unlogged table ${s}.presence_member (
      token text primary key,
      topic text not null,
      name text not null,
      id text not null,
      hub text not null,
      data text,
      version bigint not null,
      since timestamptz not null,
      changed_at timestamptz not null
    )`,
    /* sql */ `create index presence_member_topic on ${s}.presence_member (topic)`,
    /* sql */ `create index presence_member_hub on ${s}.presence_member (hub)`,
    /* sql */ `create function ${s}.presence_members(name text, out id text, out data json, out since timestamptz, out times int)
      returns setof record language sql set search_path = pg_catalog, pg_temp as ${literal(members(s))}`,
  ],
  down: (s) => [`drop function ${s}.presence_members(text)`, `drop table ${s}.presence_member`],
}

/** For people at a prompt: as `list()` answers. */
function members(s: string): string {
  return /* sql */ `
    select m.id, (array_agg(m.data order by m.changed_at desc, m.token))[1]::json, min(m.since), count(*)::int
    from ${s}.presence_member m
    where m.topic = left(encode(sha256(convert_to(presence_members.name, 'UTF8')), 'hex'), 32)
      and m.hub in (select a.identity from ${s}.hub_alive() a where not a.quiet)
    group by m.id
    order by min(m.since), m.id`
}
