import type { Group, QueryPlan } from './query-plan.js'
import { termQuery } from './query-plan.js'

/** Weights of a `tsvector` by which a field is told from others, such as `'A'`. */
export type LabelsOf = (field: string) => string

/** What a plan asks for as text of a `tsquery`, with alternatives, required groups and branches; undefined where nothing can match. */
export function wantedQuery({ branches }: QueryPlan, labelsOf: LabelsOf): string | undefined {
  const asked = branches.map((groups) => {
    const required = groups.filter((group) => group.required)
    const joined = required.length > 0 ? ' & ' : ' | '
    return `(${(required.length > 0 ? required : groups).map((group) => groupQuery(group, labelsOf)).join(joined)})`
  })
  return asked.length === 0 ? undefined : asked.join(' | ')
}

/** What a plan excludes as text of a `tsquery`. */
export function unwantedQuery({ excluded }: QueryPlan, labelsOf: LabelsOf): string | undefined {
  if (excluded.length === 0) return undefined
  return excluded
    .map(({ term, field }) => `(${termQuery(term, field === undefined ? '' : labelsOf(field))})`)
    .join(' | ')
}

/** One group as text of a `tsquery`. */
export function groupQuery({ alternatives, field }: Group, labelsOf: LabelsOf): string {
  const labels = field === undefined ? '' : labelsOf(field)
  return `(${alternatives.map(({ term }) => `(${termQuery(term, labels)})`).join(' | ')})`
}
