import { defineStatement, type Statement } from '@howdah/core'

/** What the database knows of the near caches of a namespace. */
export interface NearRegistrationRow {
  /** Number of the namespace, by which writers name it; another one once it was cleared. */
  readonly id: number
  /** Tells a registration from one that lapsed before it. */
  readonly epoch: string | null
  /** Milliseconds that it still lasts; zero or less where it has lapsed and someone held the row. */
  readonly ms: number
}

/** Has the writers of a namespace tell near caches what they change, for two minutes from now on. */
export const nearRegister: (
  schema: string,
  namespace: string,
  logged: boolean,
) => Statement<NearRegistrationRow> = defineStatement(
  'cache.near-register',
  (s) => /* sql */ `
    select r._id as id, r._epoch as epoch, r._ms as ms
    from ${s}.cache_near($1::text, $2::boolean) as r`,
  (namespace, logged) => [namespace, logged],
)
