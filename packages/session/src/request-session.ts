/**
 * The session of one request.
 *
 * States
 * - new: there is no row, and the browser has no id of one. Saved with something in it, it becomes open.
 * - open: it was loaded or created.
 * - ended: a save found that it is no longer live. What it still holds is not stored; it is as good as gone.
 *
 * Invariants
 * - Nothing that an ended session held gets into another one: `regenerate` and `destroy` leave a new and empty one behind.
 * - Calls take effect one after another, awaited or not: two saves of a new session do not make two.
 * - An id that the browser cannot learn any more, since the head of the response is out, is not made.
 */
import type { Device } from './device.js'
import { sessionError } from './errors.js'
import type { Session } from './session.js'
import type { Sessions } from './sessions.js'

type Key<Data> = keyof Data & string

/** The session of a request: read and change it, and it is saved at the end. */
export class RequestSession<Data extends object = Record<string, unknown>> {
  readonly #sessions: Sessions<Data>
  readonly #device: () => Device | undefined
  #open: Session<Data> | undefined
  #ended = false
  #destroyed = false
  #data: Partial<Data>
  /** What the browser has: the id it came with, and when it believes that to end. */
  readonly #presented: { readonly id: string; readonly expiresAt: number } | undefined
  #handedOut = false
  #turn: Promise<unknown> = Promise.resolve()

  /** Made by the middleware. @internal */
  constructor(
    sessions: Sessions<Data>,
    open: Session<Data> | undefined,
    device: () => Device | undefined,
  ) {
    this.#sessions = sessions
    this.#device = device
    this.#open = open
    this.#presented = open && { id: open.id, expiresAt: open.expiresAt.getTime() }
    this.#data = open?.data ?? {}
  }

  /** What the client presents, a secret; nothing before the session is stored. */
  get id(): string | undefined {
    return this.#open?.id
  }

  /** All that the session holds; may be changed in place. */
  get data(): Partial<Data> {
    return this.#data
  }

  /** What the session holds under a key. */
  get<K extends Key<Data>>(key: K): Data[K] | undefined {
    return Object.hasOwn(this.#data, key) ? this.#data[key] : undefined
  }

  /** Puts a value under a key. */
  set<K extends Key<Data>>(key: K, value: Data[K]): void {
    // By assignment a key __proto__ would change what the data inherits.
    const property = { value, enumerable: true, configurable: true, writable: true }
    Object.defineProperty(this.#data, key, property)
  }

  /** Removes a key. */
  delete(key: Key<Data>): void {
    delete this.#data[key]
  }

  /**
   * Stores what was changed, for those who cannot wait until the handler has answered. Answers `false` where the session has ended, and nothing is stored.
   *
   * @throws {@link HowdahError} SESSION_HEADERS_SENT when the session is new and the response has begun, SESSION_TOO_LARGE, SESSION_INVALID_DATA, SESSION_INVALID_USER
   */
  save(): Promise<boolean> {
    return this.#inTurn(async () => {
      if (this.#ended) return false
      if (this.#open !== undefined) {
        this.#ended = !(await this.#sessions.save(this.#open))
        return !this.#ended
      }
      if (Object.keys(this.#data).length === 0) return true
      this.#assertHeadersOpen()
      this.#become(await this.#sessions.create(this.#data as Data, { device: this.#device() }))
      return true
    })
  }

  /**
   * Gives the session another id, as every login must: who knew the old id is left with nothing. What it holds stays, unless the session has ended meanwhile.
   *
   * @throws {@link HowdahError} SESSION_HEADERS_SENT when the response has begun, and as {@link RequestSession.save}
   */
  regenerate(): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#open === undefined) return
      this.#assertHeadersOpen()
      this.#become(this.#ended ? undefined : await this.#sessions.regenerate(this.#open))
    })
  }

  /** Ends the session. What is set afterwards begins another. */
  destroy(): Promise<void> {
    return this.#inTurn(async () => {
      this.#destroyed = this.#open !== undefined
      if (this.#open !== undefined) await this.#sessions.destroy(this.#open)
      this.#become(undefined)
    })
  }

  /**
   * Answers what the response has to tell the browser: a session to hand out, `null` where it is to forget the one it has, `undefined` where there is nothing to say.
   * From then on no other is made.
   *
   * @internal
   */
  handOut(): Session<Data> | null | undefined {
    this.#handedOut = true
    const had = this.#presented
    const has = this.#open
    // A session that ended elsewhere is not taken back: the browser may have the cookie of the next one already.
    if (this.#ended) return undefined
    if (has === undefined) return had !== undefined && this.#destroyed ? null : undefined
    const same = had?.id === has.id && had.expiresAt === has.expiresAt.getTime()
    return same ? undefined : has
  }

  #become(open: Session<Data> | undefined): void {
    this.#open = open
    this.#ended = false
    this.#data = open?.data ?? {}
  }

  #assertHeadersOpen(): void {
    if (!this.#handedOut) return
    throw sessionError(
      'SESSION_HEADERS_SENT',
      'The response has begun, so the browser cannot be given another session id. Begin or regenerate the session before the handler answers.',
    )
  }

  #inTurn<Result>(run: () => Promise<Result>): Promise<Result> {
    const result = this.#turn.then(run)
    this.#turn = result.catch(() => {})
    return result
  }
}
