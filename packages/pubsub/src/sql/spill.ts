import { defineStatement, type Statement } from '@howdah/core'

/** How long a spilled message stays. Receivers fetch it at once; what counts are those that read late. */
const KEEP = '5 minutes'
/** Rows that go with one insert. */
const AT_ONCE = 20

/** Deletes rows whose time is over, and leaves those to others that others are deleting. */
export function pruned(s: string): string {
  return /* sql */ `delete from ${s}.pubsub_spill where id in (
    select p.id from ${s}.pubsub_spill p where p.at < statement_timestamp() - interval '${KEEP}'
    order by p.at limit ${AT_ONCE} for update skip locked
  )`
}

/** A body: JSON as text, or bytes. */
export interface SpilledBody {
  readonly json: string | null
  readonly bytes: Buffer | null
}

/** Stores a message that is too large for notifications. */
export const spillInsert: (schema: string, id: string, body: SpilledBody) => Statement =
  defineStatement(
    'pubsub.spill-insert',
    (s) => /* sql */ `
      with stale as (${pruned(s)})
      insert into ${s}.pubsub_spill (id, json, bytes) values ($1::text::uuid, $2::text, $3::bytea)`,
    (id, { json, bytes }) => [id, json, bytes],
  )

/** Reads a spilled message; no row when it is gone. */
export const spillFetch: (schema: string, id: string) => Statement<SpilledBody> = defineStatement(
  'pubsub.spill-fetch',
  (s) => /* sql */ `select json, bytes from ${s}.pubsub_spill where id = $1::text::uuid`,
  (id) => [id],
)

/** Deletes what is stale, and says whether there is more. */
export const spillPrune: (schema: string) => Statement<{ readonly more: boolean }> =
  defineStatement(
    'pubsub.spill-prune',
    (s) => /* sql */ `
      with stale as (${pruned(s)} returning id)
      select exists (select from ${s}.pubsub_spill p where p.id not in (select id from stale)) as more`,
    () => [],
  )
