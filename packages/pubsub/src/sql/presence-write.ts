import { defineStatement, type Statement } from '@howdah/core'

/** A row to enter, or to write anew. */
export interface EnteringRow {
  readonly token: string
  readonly version: number
  readonly topic: string
  readonly name: string
  readonly id: string
  readonly data: string | undefined
  /** Milliseconds since the epoch; `undefined` for now. */
  readonly since: number | undefined
  readonly at: number | undefined
}

/** A row to delete. */
export interface LeavingRow {
  readonly token: string
  readonly version: number
}

/** When a row that was entered began, and when its data was set. */
export interface EnteredRow {
  readonly token: string
  readonly since: number
  readonly at: number
}

/**
 * Enters and deletes rows, and tells those who watch, all in one transaction: what was told is so, and what is so was told. It notifies in a
 * transaction that writes, for once, because the table is unlogged and so no commit has to wait for the disk.
 *
 * A message is `[token, version, hub, id, since, at, data]`; `[token, version, null]` when it left; `[token, version]` when the rest would
 * not fit and is to be read.
 */
export const presenceWrite: (
  schema: string,
  kind: string,
  hub: string,
  entering: readonly EnteringRow[],
  leaving: readonly LeavingRow[],
) => Statement<EnteredRow> = defineStatement(
  'presence.write',
  (s) => /* sql */ `
    with entered as (
      insert into ${s}.presence_member as m (token, version, topic, name, id, data, hub, since, changed_at)
      select e.token, e.version, e.topic, e.name, e.id, e.data, $2::text,
        coalesce(to_timestamp(e.since / 1000), clock_timestamp()), coalesce(to_timestamp(e.at / 1000), clock_timestamp())
      from unnest($3::text[], $4::text[]::bigint[], $5::text[], $6::text[], $7::text[], $8::text[],
        $9::double precision[], $10::double precision[]) e (token, version, topic, name, id, data, since, at)
      on conflict (token) do update
        set version = excluded.version, data = excluded.data, hub = excluded.hub, changed_at = excluded.changed_at
        where m.version <= excluded.version
      returning m.token, m.topic, m.version, m.hub, m.id, m.data,
        extract(epoch from m.since)::double precision * 1000 as since,
        extract(epoch from m.changed_at)::double precision * 1000 as at
    ), told as (
      select token, topic, since, at, jsonb_build_array(token, version, hub, id, since, at, data) as whole,
        jsonb_build_array(token, version) as short
      from entered
    ), gone as (
      delete from ${s}.presence_member m
      using unnest($11::text[], $12::text[]::bigint[]) l (token, version)
      where m.token = l.token
      returning m.token, m.topic, l.version
    )
    select token, since, at
    from told, ${s}.hub_tell($1::text, topic, case when octet_length(whole::text) < 7500 then whole else short end)
    union all
    select token, null, null from gone, ${s}.hub_tell($1::text, topic, jsonb_build_array(token, version, null))`,
  (kind, hub, entering, leaving) => [
    kind,
    hub,
    entering.map(({ token }) => token),
    entering.map(({ version }) => String(version)),
    entering.map(({ topic }) => topic),
    entering.map(({ name }) => name),
    entering.map(({ id }) => id),
    entering.map(({ data }) => data ?? null),
    entering.map(({ since }) => since ?? null),
    entering.map(({ at }) => at ?? null),
    leaving.map(({ token }) => token),
    leaving.map(({ version }) => String(version)),
  ],
)
