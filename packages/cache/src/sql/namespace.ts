import { defineStatement, type Statement } from '@howdah/core'

/** Makes a namespace known; fails with SQLSTATE 55000 where it is kept in the other table. */
export const openNamespace: (
  schema: string,
  namespace: string,
  logged: boolean,
) => Statement<{ readonly id: number }> = defineStatement(
  'cache.open',
  (s) => /* sql */ `select ${s}.cache_open($1::text, $2::boolean) as id`,
  (namespace, logged) => [namespace, logged],
)

/** Empties a namespace. */
export const clearNamespace: (schema: string, namespace: string) => Statement = defineStatement(
  'cache.clear',
  (s) => /* sql */ `select 1 from ${s}.cache_clear($1::text)`,
  (namespace) => [namespace],
)

/** Invalidates the entries that carry one of the tags. */
export const invalidateTags: (
  schema: string,
  namespace: string,
  tags: readonly string[],
) => Statement = defineStatement(
  'cache.invalidate',
  (s) => /* sql */ `select 1 from ${s}.cache_invalidate($1::text, $2::text[])`,
  (namespace, tags) => [namespace, tags],
)
