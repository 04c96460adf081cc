import { defineStatement, type Statement } from '../statement.js'

/** Makes the transaction the tenant's until it ends, which is when the server forgets the setting. */
export const enterTenant: (schema: string, tenant: string) => Statement = defineStatement<
  [tenant: string]
>(
  'tenant.enter',
  () => /* sql */ `select set_config('howdah.tenant', $1::text, true) as tenant`,
  (tenant) => [tenant],
)
