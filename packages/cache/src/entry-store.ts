/**
 * The entries of one namespace as the rest of the cache sees them: stored keys in, stored values out.
 *
 * Invariants
 * - Calls of one process on one key take effect in the order they were made, whichever kind they are (the coalescer keeps it).
 *   Only a read does not wait for a write that waits for a transaction of someone's.
 *   Calls with a client do not queue: they run in the caller's transaction, when it calls.
 * - Every call for many keys is one statement for each thousand of them.
 */
import type {
  CoalescedOperation,
  Database,
  DuplicateRule,
  Statement,
  TransactionHandle,
} from '@howdah/core'
import { cacheError } from './errors.js'
import { type Answer, HeldKeys } from './held-keys.js'
import type { Near } from './near/near.js'
import type { ResolvedCacheOptions } from './options.js'
import { countEntries } from './sql/count-entries.js'
import { type EntryRow, getEntries } from './sql/get-entries.js'
import { getValue, getValues, splitValues } from './sql/get-values.js'
import {
  fillEntries,
  type LeaseRow,
  leaseEntries,
  releaseLeases,
  renewLeases,
} from './sql/lease-entries.js'
import { addEntries, putEntries, replaceEntries, swapEntries } from './sql/put-entries.js'
import { removeEntries } from './sql/remove-entries.js'
import { seeEntries, slideEntries, touchEntries } from './sql/touch-entries.js'
import { toColumns, type Write } from './write.js'

/** A write that holds only for one version. */
export interface Swap extends Write {
  readonly expected: string
}

/** A loaded value and the right to store it. */
export interface Fill extends Write {
  readonly token: string
  readonly snapshot: string
}

/** A lease that is given up or prolonged. */
export interface HeldLease {
  readonly key: string
  readonly token: string
}

interface Touch {
  readonly key: string
  readonly ttl: number | null
}

interface Count {
  readonly key: string
  /** What is still to be added when the statement is made: callers that come before add up. */
  total: number
  taken: boolean
  readonly ttl: number | null
  /** JSON of a key that is stored as a digest. */
  readonly original: string | null
}

/** What one call adds to a counter. */
export interface Addition extends Pick<Count, 'key' | 'ttl' | 'original'> {
  readonly by: number
}

/** How long a lease holds without being prolonged: so long others wait for a process that died while it loaded. */
export const LEASE_MS = 10_000

/** Runs the statements of one namespace, many calls to a statement. */
export class EntryStore {
  readonly #db: Database
  readonly #namespace: string
  readonly #logged: boolean
  readonly #near: Near<string> | undefined
  readonly #counts = new Map<
    string,
    { readonly count: Count; readonly done: Promise<number | undefined> }
  >()

  readonly #held = new HeldKeys()

  readonly #read: CoalescedOperation<string, string>
  readonly #readEntry: (key: string) => Promise<EntryRow | undefined>
  readonly #put: CoalescedOperation<Write, undefined>
  readonly #add: (write: Write) => Promise<string | undefined>
  readonly #replace: (write: Write) => Promise<string | undefined>
  readonly #swap: (swap: Swap) => Promise<string | undefined>
  readonly #remove: CoalescedOperation<string, boolean>
  readonly #touch: (touch: Touch) => Promise<boolean>
  readonly #count: (count: Count) => Promise<number | undefined>
  /** Asks for the right to load a value. */
  readonly lease: (key: string) => Promise<LeaseRow>
  /** Stores a loaded value; answers whether it was still wanted. */
  readonly fill: (fill: Fill) => Promise<boolean>
  /** Gives a lease up. */
  readonly release: (lease: HeldLease) => Promise<void>
  /** Keeps a lease for another while. */
  readonly renew: (lease: HeldLease) => Promise<void>
  /** Prolongs a sliding entry. */
  readonly slide: (key: string) => Promise<void>

  constructor(
    db: Database,
    { namespace, logged }: ResolvedCacheOptions,
    near: Near<string> | undefined,
  ) {
    this.#db = db
    this.#near = near
    this.#namespace = namespace
    this.#logged = logged
    this.#read = this.#byKey('share', (keys) => this.#selectValues(keys))
    this.#readEntry = this.#byKey('share', (keys) => this.#selectEntries(keys))
    this.#remove = this.#byKey('queue', (keys) => this.#removeAll(keys))
    this.#put = this.#operation('last', (writes: readonly Write[]) => this.#putAll(writes))
    this.#add = this.#operation('queue', (writes: readonly Write[]) => this.#addAll(writes))
    this.#replace = this.#operation('queue', (writes: readonly Write[]) => this.#replaceAll(writes))
    this.#swap = this.#operation('queue', (swaps: readonly Swap[]) => this.#swapAll(swaps))
    this.#touch = this.#operation('last', (touches: readonly Touch[]) => this.#touchAll(touches))
    this.#count = this.#operation('queue', (counts: readonly Count[]) => this.#countAll(counts))
    this.lease = this.#byKey('share', (keys) => this.#leaseAll(keys))
    const fill = this.#operation('queue', (fills: readonly Fill[]) => this.#fillAll(fills))
    this.fill = (one) => this.change([one.key], undefined, () => fill(one))
    this.slide = this.#byKey('share', (keys) => this.#slideAll(keys))
    this.release = this.#operation('queue', (leases: readonly HeldLease[]) =>
      this.#none(leases, releaseLeases(...this.#leases(leases))),
    )
    this.renew = this.#operation('queue', (leases: readonly HeldLease[]) =>
      this.#none(leases, renewLeases(...this.#leases(leases), LEASE_MS)),
    )
  }

  /** Answers a stored value, which may carry the mark of one to be prolonged; empty where there is none. */
  read(key: string, client?: TransactionHandle): Promise<string> {
    return client === undefined
      ? this.#read(key)
      : this.#selectValues([key], client).then(([value = '']) => value)
  }

  /** Answers the same for several keys, in their order. */
  readMany(keys: readonly string[], client?: TransactionHandle): Promise<readonly string[]> {
    return client === undefined ? this.#read.many(keys) : this.#selectValues(keys, client)
  }

  async readEntry(key: string, client?: TransactionHandle): Promise<EntryRow | undefined> {
    return client === undefined
      ? this.#readEntry(key)
      : (await this.#selectEntries([key], client))[0]
  }

  /**
   * Runs a write to keys, or to everything for `null`. Memory forgets them when it is called, and before it is answered: no read
   * after that finds there what was before.
   */
  change<T>(
    keys: readonly string[] | null,
    client: TransactionHandle | undefined,
    write: () => Promise<T>,
  ): Promise<T> {
    return this.#near === undefined ? write() : this.#near.change(keys, client, write)
  }

  put(write: Write, client?: TransactionHandle): Promise<unknown> {
    if (client === undefined && this.#near === undefined) return this.#put(write)
    return this.putMany([write], client)
  }

  putMany(writes: readonly Write[], client?: TransactionHandle): Promise<unknown> {
    const keys = this.#near === undefined ? null : keysOf(writes)
    return this.change(keys, client, () =>
      client === undefined ? this.#put.many(writes) : this.#putAll(writes, client),
    )
  }

  /** Answers the new version, or `undefined` where a live entry is. */
  async add(write: Write, client?: TransactionHandle): Promise<string | undefined> {
    return this.change([write.key], client, async () =>
      client === undefined ? this.#add(write) : (await this.#addAll([write], client))[0],
    )
  }

  /** Answers the new version, or `undefined` where no live entry is. */
  async replace(write: Write, client?: TransactionHandle): Promise<string | undefined> {
    return this.change([write.key], client, async () =>
      client === undefined ? this.#replace(write) : (await this.#replaceAll([write], client))[0],
    )
  }

  /** Answers the new version, or `undefined` where the entry has another. */
  async swap(swap: Swap, client?: TransactionHandle): Promise<string | undefined> {
    return this.change([swap.key], client, async () =>
      client === undefined ? this.#swap(swap) : (await this.#swapAll([swap], client))[0],
    )
  }

  /** Answers for each key whether it held a live value. */
  async remove(keys: readonly string[], client?: TransactionHandle): Promise<readonly boolean[]> {
    return this.change(keys, client, async () =>
      client === undefined
        ? this.#remove.many(keys)
        : Promise.all(await this.#removeAll(keys, client)),
    )
  }

  async touch(key: string, ttl: number | null, client?: TransactionHandle): Promise<boolean> {
    const touch = { key, ttl }
    return this.change([key], client, async () =>
      client === undefined
        ? this.#touch(touch)
        : (await this.#touchAll([touch], client))[0] === true,
    )
  }

  /**
   * Adds to a counter and answers its new value, or `undefined` where it cannot be added to. Calls that wait for the same counter
   * are added up into one statement; each is answered the value it would have seen alone.
   */
  count(addition: Addition, client?: TransactionHandle): Promise<number | undefined> {
    return this.change([addition.key], client, () => this.#addUp(addition, client))
  }

  async #addUp(
    { by, ...counter }: Addition,
    client: TransactionHandle | undefined,
  ): Promise<number | undefined> {
    const { key } = counter
    if (client !== undefined) {
      const [count] = await this.#countAll([{ ...counter, total: by, taken: false }], client)
      return count
    }
    let waiting = this.#counts.get(key)
    const fits = waiting !== undefined && !waiting.count.taken
    if (waiting === undefined || !fits || !Number.isSafeInteger(waiting.count.total + by)) {
      const count: Count = { ...counter, total: 0, taken: false }
      waiting = { count, done: this.#count(count) }
      this.#counts.set(key, waiting)
    }
    waiting.count.total += by
    const { count, done } = waiting
    const upToHere = count.total
    const last = await done
    return last === undefined ? undefined : last - count.total + upToHere
  }

  /** Notes that entries were read. */
  async see(keys: readonly string[]): Promise<void> {
    await this.#db.query(seeEntries(this.#db.schema, this.#logged, this.#namespace, keys))
  }

  #byKey<Output>(
    duplicates: DuplicateRule,
    run: (keys: readonly string[]) => Promise<readonly Answer<Output>[]>,
  ): CoalescedOperation<string, Output> {
    const prefix = `cache:${this.#namespace}:`
    const call = this.#db.coalescer.operation({
      key: (key: string) => prefix + key,
      duplicates,
      run,
    })
    const one = (key: string) => {
      this.#endSum(key)
      return call(key) as Promise<Output>
    }
    const many = (keys: readonly string[]) => {
      for (const key of keys) this.#endSum(key)
      return call.many(keys) as Promise<Output[]>
    }
    return Object.assign(one, { many })
  }

  #operation<Input extends { readonly key: string; readonly bytes?: number }, Output>(
    duplicates: DuplicateRule,
    run: (inputs: readonly Input[]) => Promise<readonly Answer<Output>[]>,
  ): CoalescedOperation<Input, Output> {
    const prefix = `cache:${this.#namespace}:`
    const call = this.#db.coalescer.operation({
      key: (input: Input) => prefix + input.key,
      bytes: (input) => input.bytes ?? input.key.length,
      duplicates,
      run,
    })
    const one = (input: Input) => {
      this.#endSum(input.key)
      return call(input) as Promise<Output>
    }
    const many = (inputs: readonly Input[]) => {
      for (const { key } of inputs) this.#endSum(key)
      return call.many(inputs) as Promise<Output[]>
    }
    return Object.assign(one, { many })
  }

  /** Another call on a counter comes between what was added before it and what is added after. */
  #endSum(key: string): void {
    if (this.#counts.size > 0) this.#counts.delete(key)
  }

  get #where(): [schema: string, logged: boolean, namespace: string] {
    return [this.#db.schema, this.#logged, this.#namespace]
  }

  async #selectValues(keys: readonly string[], client?: TransactionHandle): Promise<string[]> {
    if (keys.length === 1) {
      const [one] = await this.#db.query(getValue(...this.#where, keys[0] as string), client)
      return [one?.found ?? '']
    }
    const [row] = await this.#db.query(getValues(...this.#where, keys), client)
    const values = splitValues(row?.found ?? null)
    if (values.length === keys.length) return values
    throw cacheError(
      'CACHE_UNREADABLE_VALUE',
      'An entry holds a unit separator, which no value of ours does: something else wrote to the table. Clear the namespace.',
    )
  }

  async #selectEntries(keys: readonly string[], client?: TransactionHandle) {
    return inOrder(keys, await this.#db.query(getEntries(...this.#where, keys), client))
  }

  #putAll(writes: readonly Write[], client?: TransactionHandle) {
    const put = (some: readonly Write[], shared: boolean) =>
      putEntries(this.#db.schema, this.#logged, ...toColumns(this.#namespace, some), shared)
    return this.#write(writes, client, put, () => undefined)
  }

  #addAll(writes: readonly Write[], client?: TransactionHandle) {
    const add = (some: readonly Write[], shared: boolean) =>
      addEntries(this.#db.schema, this.#logged, ...toColumns(this.#namespace, some), shared)
    return this.#write(writes, client, add, (row) => row?.version)
  }

  #replaceAll(writes: readonly Write[], client?: TransactionHandle) {
    const replace = (some: readonly Write[], shared: boolean) =>
      replaceEntries(this.#db.schema, this.#logged, ...toColumns(this.#namespace, some), shared)
    return this.#write(writes, client, replace, (row) => row?.version)
  }

  #swapAll(swaps: readonly Swap[], client?: TransactionHandle) {
    const swap = (some: readonly Swap[], shared: boolean) => {
      const expected = some.map((one) => one.expected)
      const columns = toColumns(this.#namespace, some)
      return swapEntries(this.#db.schema, this.#logged, ...columns, shared, expected)
    }
    return this.#write(swaps, client, swap, (row) => row?.version)
  }

  #removeAll(keys: readonly string[], client?: TransactionHandle) {
    const remove = (some: readonly { readonly key: string }[], shared: boolean) =>
      removeEntries(...this.#where, keysOf(some), client !== undefined, shared)
    const inputs = keys.map((key) => ({ key }))
    return this.#write(inputs, client, remove, (row) => row !== undefined)
  }

  #touchAll(touches: readonly Touch[], client?: TransactionHandle) {
    const touch = (some: readonly Touch[], shared: boolean) => {
      const ttls = some.map((one) => one.ttl)
      return touchEntries(...this.#where, keysOf(some), ttls, shared)
    }
    return this.#write(touches, client, touch, (row) => row !== undefined)
  }

  #countAll(counts: readonly Count[], client?: TransactionHandle) {
    for (const count of counts) {
      count.taken = true
      if (this.#counts.get(count.key)?.count === count) this.#counts.delete(count.key)
    }
    const add = (some: readonly Count[], shared: boolean) => {
      const totals = some.map((one) => one.total)
      const ttls = some.map((one) => one.ttl)
      const originals = some.map((one) => one.original)
      return countEntries(...this.#where, keysOf(some), totals, ttls, originals, shared)
    }
    return this.#write(counts, client, add, (row) => (row ? Number(row.count) : undefined))
  }

  /**
   * Runs a write of several keys. Where a transaction of someone's holds one of their rows, each key goes alone, so that only the
   * writers of that key wait for it, in the order of their calls and with one connection. Readers are answered what is committed.
   */
  async #write<
    Input extends { readonly key: string },
    Row extends { readonly key: string },
    Output,
  >(
    inputs: readonly Input[],
    client: TransactionHandle | undefined,
    statement: (inputs: readonly Input[], shared: boolean) => Statement<Row>,
    output: (row: Row | undefined) => Output,
  ): Promise<Answer<Output>[]> {
    const together = async (some: readonly Input[]) => {
      const rows = await this.#db.query(statement(some, client === undefined), client)
      return inOrder(keysOf(some), rows).map(output)
    }
    if (client !== undefined) return together(inputs)
    return this.#held.write(inputs, together, async (input) => {
      const rows = await this.#db.query(statement([input], false))
      return output(rows[0])
    })
  }

  async #leaseAll(keys: readonly string[]): Promise<LeaseRow[]> {
    const rows = await this.#db.query(leaseEntries(...this.#where, keys, LEASE_MS))
    return inOrder(keys, rows) as LeaseRow[]
  }

  async #fillAll(fills: readonly Fill[]): Promise<boolean[]> {
    const [namespace, keys, values, ttls, extras] = toColumns(this.#namespace, fills)
    const statement = fillEntries(
      this.#db.schema,
      this.#logged,
      namespace,
      keys,
      fills.map((fill) => fill.token),
      fills.map((fill) => fill.snapshot),
      values,
      ttls,
      extras,
    )
    return among(keys, await this.#db.query(statement))
  }

  async #slideAll(keys: readonly string[]): Promise<undefined[]> {
    return this.#none(keys, slideEntries(...this.#where, keys))
  }

  async #none(inputs: readonly unknown[], statement: Parameters<Database['query']>[0]) {
    await this.#db.query(statement)
    return new Array<undefined>(inputs.length)
  }

  #leases(leases: readonly HeldLease[]) {
    const keys = leases.map((lease) => lease.key)
    const tokens = leases.map((lease) => lease.token)
    return [this.#db.schema, this.#logged, this.#namespace, keys, tokens] as const
  }
}

function inOrder<Row extends { readonly key: string }>(
  keys: readonly string[],
  rows: readonly Row[],
): (Row | undefined)[] {
  const byKey = new Map<string, Row>()
  for (const row of rows) byKey.set(row.key, row)
  return keys.map((key) => byKey.get(key))
}

function keysOf(inputs: readonly { readonly key: string }[]): string[] {
  return inputs.map((input) => input.key)
}

function among(keys: readonly string[], rows: readonly { readonly key: string }[]): boolean[] {
  const found = new Set(rows.map((row) => row.key))
  return keys.map((key) => found.has(key))
}
