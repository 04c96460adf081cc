/**
 * Where a worker need not look for ready jobs any more.
 *
 * Rows that were claimed stay in the index until no snapshot can see them, and a search passes over them one by one. So a worker
 * searches behind what it knows to be empty. It knows two things of each rank:
 * - `claimed`: the last place it claimed itself. Most of what lies below is gone, but what commits late, or what another worker
 *   had claimed and gave up by rolling back, is below it.
 * - `sealed`: up to here the server has proven that nothing is left and nothing can come.
 *
 * Invariants
 * - sealed <= claimed, and both only rise, until reset().
 * - A search from `sealed` (a sweep) finds every job that is visible. A search from `claimed` may miss some, and a sweep follows it:
 *   whenever it came back short, and else often enough.
 * - After a crash of the server what was claimed may be ready once more: reset() forgets all.
 *
 * A sweep may be slow where a transaction that writes has been open for long. Sweeps then come less often, so that they take no more
 * than a tenth of the time.
 */
import type { Seal, Sealed } from '../sql/seal.js'
import type { Ranges } from '../sql/take.js'

const LOWEST_RANK = -2_147_483_648
const HIGHEST_RANK = 2_147_483_647
/** Each rank is a search of its own in every claim; what lies in other ranks is searched whole. */
const MAX_RANKS = 24
const SWEEP_EVERY_MS = 250
const SWEEP_SHARE = 10
const SEAL_AT_LEAST_MS = 5_000

interface Floor {
  claimed: bigint
  sealed: bigint
}

const BEGINNING = '-infinity'
const EVERYTHING: Ranges = { lows: [LOWEST_RANK], seqs: ['0'], highs: [HIGHEST_RANK] }

/** What one worker knows of the ranks of its queue. */
export class RankFloors {
  #floors = new Map<number, Floor>()
  #due = { claimed: BEGINNING, sealed: BEGINNING }
  #epoch: string | undefined
  #proof: { readonly horizon: string; readonly head: string; readonly dueHead: string } | undefined
  #nextSweep = 0
  #nextSeal = 0
  #fast: Ranges | undefined

  /** Whether a search is due that misses nothing. */
  sweepDue(now: number): boolean {
    return now >= this.#nextSweep
  }

  /** Where to search: from the last claims, or in a sweep from what is proven empty. */
  ranges(sweep: boolean): Ranges {
    if (this.#floors.size === 0) return EVERYTHING
    if (sweep) return this.#build('sealed')
    this.#fast ??= this.#build('claimed')
    return this.#fast
  }

  /** The time behind which to look for jobs that have become due. */
  due(sweep: boolean): string {
    return sweep ? this.#due.sealed : this.#due.claimed
  }

  /** Notes how long a sweep took, so that the next one is not too soon. */
  swept(now: number, tookMs: number): void {
    this.#nextSweep = now + Math.max(SWEEP_EVERY_MS, tookMs * SWEEP_SHARE)
  }

  /** Notes the last places a search claimed. */
  claimed(ranks: string | null, seqs: string | null, dueAfter: string | null): void {
    if (dueAfter !== null) this.#promoted(dueAfter)
    if (ranks === null || seqs === null) return
    const places = seqs.split(',')
    for (const [at, text] of ranks.split(',').entries()) {
      const rank = Number(text)
      const seq = BigInt(places[at] as string)
      const floor = this.#floors.get(rank)
      if (floor === undefined) {
        if (this.#floors.size < MAX_RANKS) this.#floors.set(rank, { claimed: seq, sealed: 0n })
      } else if (seq > floor.claimed) {
        floor.claimed = seq
      }
    }
    this.#fast = undefined
  }

  #promoted(dueAfter: string): void {
    this.#due.claimed = dueAfter
    if (dueAfter !== BEGINNING) return
    // The server's clock was set back.
    this.#due.sealed = BEGINNING
    this.#proof = undefined
  }

  /** Notes the server's epoch. Answers whether it is another one, so that nothing known before counts. */
  enter(epoch: string): boolean {
    if (this.#epoch === epoch) return false
    const known = this.#epoch !== undefined
    this.#epoch = epoch
    this.reset()
    return known
  }

  reset(): void {
    this.#floors = new Map()
    this.#due = { claimed: BEGINNING, sealed: BEGINNING }
    this.#proof = undefined
    this.#fast = undefined
    this.#nextSweep = 0
  }

  /** Whether there is something to be proven: places that were claimed beyond what is sealed. */
  stale(now: number): boolean {
    // Also what others claim leaves rows behind that a search would pass over.
    if (now > this.#nextSeal) return true
    if (this.#due.claimed !== this.#due.sealed) return true
    for (const { claimed, sealed } of this.#floors.values()) if (claimed > sealed) return true
    return false
  }

  /** What to ask the server to prove (of the usual priority, while none is known); the first question has nothing to be proven and only sets the terms of the next. */
  question(queue: number): Seal {
    const known = [...this.#floors]
    const floors: typeof known = known.length > 0 ? known : [[0, { claimed: 0n, sealed: 0n }]]
    const { horizon, head, dueHead } = this.#proof ?? {
      horizon: '18446744073709551615',
      head: '0',
      dueHead: BEGINNING,
    }
    return {
      queue,
      ranks: floors.map(([rank]) => rank),
      seqs: floors.map(([, floor]) => String(floor.sealed)),
      due: this.#due.sealed,
      horizon,
      head,
      dueHead,
    }
  }

  /** Takes the answer to a question. While older transactions run, the terms stay, for newer ones would wait longer. */
  answer(question: Seal, sealed: Sealed, now: number): void {
    if (sealed.epoch !== this.#epoch || sealed.horizon === null) return
    if (sealed.sealed) {
      this.#nextSeal = now + SEAL_AT_LEAST_MS
      const seqs = sealed.seqs?.split(',') ?? []
      for (const [at, rank] of question.ranks.entries()) {
        const floor = this.#floors.get(rank) ?? { claimed: 0n, sealed: 0n }
        const seq = BigInt(seqs[at] as string)
        if (seq <= floor.sealed) continue
        this.#floors.set(rank, floor)
        floor.sealed = seq
        if (floor.claimed < seq) floor.claimed = seq
      }
      if (sealed.due !== null) this.#due.sealed = sealed.due
      this.#fast = undefined
    } else if (this.#proof !== undefined) {
      return
    }
    const { horizon, head, dueHead } = sealed
    this.#proof = { horizon, head: head as string, dueHead: dueHead as string }
  }

  /** Divides all ranks into known ones, from their floor, and what lies between, whole. */
  #build(which: 'claimed' | 'sealed'): Ranges {
    const lows: number[] = []
    const seqs: string[] = []
    const highs: number[] = []
    const add = (low: number, seq: string, high: number) => {
      lows.push(low)
      seqs.push(seq)
      highs.push(high)
    }
    let next = LOWEST_RANK
    for (const rank of [...this.#floors.keys()].sort((a, b) => a - b)) {
      if (rank > next) add(next, '0', rank - 1)
      add(rank, String((this.#floors.get(rank) as Floor)[which]), rank)
      next = rank + 1
    }
    add(next, '0', HIGHEST_RANK)
    return { lows, seqs, highs }
  }
}
