import { HowdahError } from './errors.js'
import { ident } from './ident.js'

/** A table: its name, or its schema and its name. Neither is quoted. */
export type TableName = string | readonly [schema: string, table: string]

/** Options of {@link tenantPolicy}. */
export interface TenantPolicyOptions {
  /** Column that holds the tenant's id. @defaultValue `'tenant_id'` */
  readonly column?: string | undefined
  /** Type of that column; ids of tenants must then read as it. @defaultValue `'text'` */
  readonly type?: 'text' | 'uuid' | 'integer' | 'bigint' | undefined
}

const PERMIT = ident('howdah_tenant')
const RESTRICT = ident('howdah_tenant_only')
const TYPES = ['text', 'uuid', 'integer', 'bigint']

/**
 * Writes the statements that let each tenant see and write its own rows of a table only, and nobody any row without a tenant. They
 * may be run again. The owner of the table is bound as well; superusers and roles with `BYPASSRLS` are not, so the application
 * must connect as another role.
 *
 * Other policies of the table can narrow down what a tenant sees of its own rows if they are restrictive; none can widen it to
 * another tenant's.
 *
 * @see https://www.postgresql.org/docs/current/ddl-rowsecurity.html
 * @throws {@link HowdahError} CORE_INVALID_NAME, CORE_INVALID_OPTION
 *
 * @example
 * ```ts
 * import { tenantPolicy } from '@howdah/core'
 * import { Pool } from 'pg'
 *
 * const pool = new Pool()
 * for (const statement of tenantPolicy(['app', 'invoice'], { column: 'customer' })) {
 *   await pool.query(statement)
 * }
 * ```
 */
export function tenantPolicy(
  table: TableName,
  { column = 'tenant_id', type = 'text' }: TenantPolicyOptions = {},
): readonly string[] {
  if (!TYPES.includes(type)) {
    throw new HowdahError('CORE_INVALID_OPTION', `type must be one of ${TYPES.join(', ')}.`)
  }
  const t = qualified(table)
  // A setting that was made in an earlier transaction of the session reads as '', not as null. The sub-select is computed
  // once for a statement rather than once a row.
  const own = `${ident(column)} = (select nullif(current_setting('howdah.tenant', true), '')::${type})`
  return [
    `alter table ${t} enable row level security`,
    `alter table ${t} force row level security`,
    ...dropPolicies(t),
    `create policy ${PERMIT} on ${t} using (${own}) with check (${own})`,
    // Permissive policies add up, so one of the application's could open what ours closes. This one has the last word.
    `create policy ${RESTRICT} on ${t} as restrictive using (${own}) with check (${own})`,
  ]
}

/**
 * Writes the statements that take {@link tenantPolicy} back. Row level security stays enabled, for the sake of other policies:
 * without any, it lets nobody but superusers see a row.
 *
 * @throws {@link HowdahError} CORE_INVALID_NAME
 *
 * @example
 * ```ts
 * import { dropTenantPolicy } from '@howdah/core'
 *
 * dropTenantPolicy('invoice').join(';\n')
 * ```
 */
export function dropTenantPolicy(table: TableName): readonly string[] {
  return dropPolicies(qualified(table))
}

function dropPolicies(table: string): readonly string[] {
  return [PERMIT, RESTRICT].map((name) => `drop policy if exists ${name} on ${table}`)
}

function qualified(table: TableName): string {
  return typeof table === 'string' ? ident(table) : ident(...table)
}
