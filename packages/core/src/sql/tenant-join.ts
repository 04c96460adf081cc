import { defineStatement, type Statement } from '../statement.js'

/** Makes a transaction that somebody else opened the tenant's; answers no row where it is another tenant's already. */
export const joinTenant: (schema: string, tenant: string) => Statement<{ tenant: string }> =
  defineStatement<[tenant: string], { tenant: string }>(
    'tenant.join',
    () => /* sql */ `
      select set_config('howdah.tenant', $1::text, true) as tenant
      where coalesce(current_setting('howdah.tenant', true), '') in ('', $1::text)`,
    (tenant) => [tenant],
  )
