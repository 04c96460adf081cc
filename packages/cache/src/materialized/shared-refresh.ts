/**
 * The calls for a refresh that one process makes.
 *
 * Every call must be answered by a refresh that began after it, in whichever process. A ticket drawn after the call tells: it is
 * lower than the numbers of the refreshes that begin later. Of many tickets the newest serves all.
 *
 * Invariants
 * - At most one refresh of ours waits or runs, and at most one stands behind it for all the calls that came meanwhile.
 * - At most one ticket is being drawn, and one more is to be: calls that come while one is drawn need a later one.
 */
export class SharedRefresh {
  readonly #draw: () => Promise<bigint>
  readonly #run: (ticket: bigint) => Promise<void>
  #running: Promise<void> | undefined
  #next: Promise<void> | undefined
  #drawing: Promise<bigint> | undefined
  #queued: Promise<bigint> | undefined
  #newest: Promise<bigint> = Promise.resolve(0n)

  constructor(draw: () => Promise<bigint>, run: (ticket: bigint) => Promise<void>) {
    this.#draw = draw
    this.#run = run
  }

  /** Resolves after a refresh that began after this call. */
  call(): Promise<void> {
    this.#newest = this.#ticket()
    // Whoever waits for it hears of its failure.
    this.#newest.catch(() => {})
    if (this.#running === undefined) return this.#start()
    this.#next ??= this.#running
      .catch(() => {})
      .then(() => {
        this.#next = undefined
        return this.#start()
      })
    return this.#next
  }

  #start(): Promise<void> {
    const running = this.#newest.then(this.#run).finally(() => {
      if (this.#running === running) this.#running = undefined
    })
    this.#running = running
    return running
  }

  #ticket(): Promise<bigint> {
    if (this.#queued !== undefined) return this.#queued
    if (this.#drawing === undefined) return this.#send()
    this.#queued = this.#drawing
      .catch(() => {})
      .then(() => {
        this.#queued = undefined
        return this.#send()
      })
    return this.#queued
  }

  #send(): Promise<bigint> {
    const drawing = this.#draw().finally(() => {
      if (this.#drawing === drawing) this.#drawing = undefined
    })
    this.#drawing = drawing
    return drawing
  }
}
