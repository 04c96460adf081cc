/** Whose a row is, and what policies of the table go by. */
export interface TenantColumn {
  /** Of a type of which each value has one form as text: text, whole numbers, `numeric`, `uuid`, boolean, dates and times, or an enum. */
  readonly column: string
  /**
   * What row-level security of the table decides by. With `'rows'`, a policy may hide some rows of a tenant from somebody who sees others, such as drafts:
   * where policies bind who searches, all that matches is looked at row by row, so that total and facets are exact under any policy, and nothing is
   * corrected or suggested. With `'tenant'`, whoever sees one row of a tenant may see them all, as with `tenantPolicy()` of `@howdah/core` alone:
   * total, facets, corrections and suggestions then come from the tenant's part of the index. It would tell how many rows match, which values they have
   * and which words, also of rows that another policy hides.
   *
   * @defaultValue `'rows'`
   */
  readonly policies?: 'tenant' | 'rows'
}
