import { getValue, getValues } from './sql/get-values.js'
import { openNamespace } from './sql/namespace.js'
import { putEntries } from './sql/put-entries.js'
import { removeEntries } from './sql/remove-entries.js'
import { touchEntries } from './sql/touch-entries.js'

/** Statements whose plans `howdah doctor` looks at. They are no part of the API, and change from release to release. @internal */
export const hotStatements: {
  readonly openNamespace: typeof openNamespace
  readonly putEntries: typeof putEntries
  readonly getValue: typeof getValue
  readonly getValues: typeof getValues
  readonly touchEntries: typeof touchEntries
  readonly removeEntries: typeof removeEntries
} = { openNamespace, putEntries, getValue, getValues, touchEntries, removeEntries }
