import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { NearStore, type NewEntry } from '../src/near/near-store.js'

function entry(key: string, bytes = 1): NewEntry<string> {
  return { key, value: key, encoded: undefined, deadline: undefined, bytes }
}

function visit(store: NearStore<string>, key: string): void {
  const found = store.get(key)
  if (found !== undefined) found.visited = true
}

/** SIEVE as its paper words it, on a plain array from oldest to newest. */
class Model {
  entries: { key: string; bytes: number; visited: boolean }[] = []
  hand: string | undefined
  readonly maxBytes: number

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes
  }

  put(key: string, bytes: number): void {
    this.delete(key)
    if (bytes > this.maxBytes) return
    while (this.bytes + bytes > this.maxBytes) this.evict()
    this.entries.push({ key, bytes, visited: false })
  }

  evict(): void {
    let at = Math.max(
      0,
      this.entries.findIndex(({ key }) => key === this.hand),
    )
    for (let found = this.entries[at]; found?.visited === true; found = this.entries[at]) {
      found.visited = false
      at = (at + 1) % this.entries.length
    }
    this.hand = this.entries[at + 1]?.key
    this.entries.splice(at, 1)
  }

  delete(key: string): void {
    const at = this.entries.findIndex((found) => found.key === key)
    if (at < 0) return
    if (this.hand === key) this.hand = this.entries[at + 1]?.key
    this.entries.splice(at, 1)
  }

  get bytes(): number {
    return this.entries.reduce((sum, { bytes }) => sum + bytes, 0)
  }
}

describe('the store of a near cache', () => {
  test('keeps what is read and gives up what was only put in', () => {
    const store = new NearStore<string>(3)
    for (const key of ['a', 'b', 'c']) store.put(entry(key))
    visit(store, 'a')
    store.put(entry('d'))
    store.put(entry('e'))
    expect(['a', 'b', 'c', 'd', 'e'].filter((key) => store.get(key))).toEqual(['a', 'd', 'e'])
    expect(store.evictions).toBe(2)
  })

  test('leaves out an entry that is larger than the whole budget, with what it stood for', () => {
    const store = new NearStore<string>(10)
    store.put(entry('a'))
    store.put(entry('a', 11))
    expect([store.get('a'), store.size, store.bytes]).toEqual([undefined, 0, 0])
  })

  test('does what the paper says, in any order of calls', () => {
    const key = fc.constantFrom(...'abcdefghij')
    const call = fc.oneof(
      { weight: 5, arbitrary: fc.record({ put: key, bytes: fc.integer({ min: 1, max: 12 }) }) },
      { weight: 5, arbitrary: fc.record({ visit: key }) },
      { weight: 2, arbitrary: fc.record({ delete: key }) },
    )
    fc.assert(
      fc.property(fc.array(call, { maxLength: 80 }), (calls) => {
        const [store, model] = [new NearStore<string>(30), new Model(30)]
        for (const each of calls) {
          if ('put' in each) {
            store.put(entry(each.put, each.bytes))
            model.put(each.put, each.bytes)
          } else if ('visit' in each) {
            visit(store, each.visit)
            const found = model.entries.find((candidate) => candidate.key === each.visit)
            if (found !== undefined) found.visited = true
          } else {
            store.delete(each.delete)
            model.delete(each.delete)
          }
          expect(store.bytes).toBe(model.bytes)
          expect([...'abcdefghij'].filter((k) => store.get(k)).sort()).toEqual(
            model.entries.map((found) => found.key).sort(),
          )
        }
      }),
      { numRuns: 300 },
    )
  })
})
