/**
 * Who listens to what in this process.
 *
 * Invariants
 * - What is found for a name is remembered until the listeners change, for names come again and patterns are many.
 * - A listener that was removed hears nothing more, also in the middle of a message.
 */
import { BYTES_FORM, JSON_FORM, SPILLED_FORM } from './form.js'
import type { Glob } from './glob.js'
import { PatternIndex } from './pattern-index.js'

/** What a listener is told beside the message. */
export interface MessageContext {
  /** The channel's name, for a listener to a pattern. */
  readonly channel: string
}

/** What one subscription is told. */
export interface Listener {
  onMessage(message: unknown, context: MessageContext): unknown
  onGap(): unknown
}

/** A listener's place. */
export interface Entry {
  readonly listener: Listener
  open: boolean
}

/** Where messages of one name on the hub go. */
export interface Target {
  readonly form: string
  readonly name: string
  readonly context: MessageContext
  readonly entries: readonly Entry[]
}

const REMEMBERED = 10_000

export class Listeners {
  readonly #byName = new Map<string, Set<Entry>>()
  readonly #patterns = new PatternIndex<Entry>()
  readonly #all = new Set<Entry>()
  readonly #targets = new Map<string, Target>()

  get size(): number {
    return this.#all.size
  }

  /** All of them. */
  entries(): Entry[] {
    return [...this.#all]
  }

  /** Adds a listener to a channel, or to all whose names match, and returns the function that removes it. */
  add(what: string | Glob, listener: Listener): () => void {
    const entry: Entry = { listener, open: true }
    const forget =
      typeof what === 'string' ? this.#name(what, entry) : this.#patterns.add(what, entry)
    this.#all.add(entry)
    this.#targets.clear()
    return () => {
      entry.open = false
      if (!this.#all.delete(entry)) return
      forget()
      this.#targets.clear()
    }
  }

  /** Removes all. */
  clear(): void {
    for (const entry of this.#all) entry.open = false
    this.#all.clear()
    this.#targets.clear()
  }

  /** Who is to hear what comes under a name on the hub. */
  target(wireName: string): Target {
    const known = this.#targets.get(wireName)
    if (known !== undefined) return known
    const form = wireName.slice(0, 1)
    const name = wireName.slice(1)
    const readable = [JSON_FORM, BYTES_FORM, SPILLED_FORM].includes(form)
    const entries = readable ? this.#find(name) : []
    const target = { form, name, context: Object.freeze({ channel: name }), entries }
    if (this.#targets.size >= REMEMBERED) this.#targets.clear()
    this.#targets.set(wireName, target)
    return target
  }

  #find(name: string): Entry[] {
    const found = [...(this.#byName.get(name) ?? []), ...this.#patterns.find(name)]
    return found.filter(({ open }) => open)
  }

  #name(name: string, entry: Entry): () => void {
    const entries = this.#byName.get(name) ?? new Set()
    this.#byName.set(name, entries.add(entry))
    return () => {
      entries.delete(entry)
      if (entries.size === 0) this.#byName.delete(name)
    }
  }
}
