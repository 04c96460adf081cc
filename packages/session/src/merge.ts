/**
 * Three-way merge of sessions by their top-level keys: what a request changed goes over what is stored now, and what it left alone stays as it is stored.
 *
 * All texts are JSON objects. Keys are compared by their JSON, so a value that was changed and changed back has not changed.
 */
import { decodeData } from './json.js'

/** Each key with its value as JSON; a Map, for no key is special to it. */
type Entries = Map<string, string>

/** What a request changed: keys with their new value, and without one where they were removed. */
export type Changes = Map<string, string | undefined>

/** What became of `base` in `mine`. */
export function changesBetween(base: string, mine: string): Changes {
  const before = entriesOf(base)
  const changes: Changes = new Map()
  for (const [key, value] of entriesOf(mine)) {
    if (before.get(key) !== value) changes.set(key, value)
    before.delete(key)
  }
  for (const key of before.keys()) changes.set(key, undefined)
  return changes
}

/** Applies changes to another state of the same session. */
export function applyChanges(theirs: string, changes: Changes): string {
  const merged = entriesOf(theirs)
  for (const [key, value] of changes) {
    if (value === undefined) merged.delete(key)
    else merged.set(key, value)
  }
  const entries = [...merged].map(([key, value]) => `${JSON.stringify(key)}:${value}`)
  return `{${entries.join()}}`
}

function entriesOf(text: string): Entries {
  const entries: Entries = new Map()
  for (const [key, value] of Object.entries(decodeData(text))) {
    entries.set(key, JSON.stringify(value))
  }
  return entries
}
