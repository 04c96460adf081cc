import { sessionError } from './errors.js'
import { decodeData } from './json.js'
import type { StoredSession } from './records/stored-session.js'
import type { Session } from './session.js'

/**
 * A session as the application holds it. The id is no own property, so that whoever prints a session, or sends it as JSON, does not give it away.
 */
export class OpenSession<Data extends object> implements Session<Data> {
  readonly #id: string
  #stored: StoredSession
  #ended = false
  data: Data

  constructor(id: string, stored: StoredSession, data: Data) {
    this.#id = id
    this.#stored = stored
    this.data = data
  }

  /** Opens a session that was read. */
  static of<Data extends object>(id: string, stored: StoredSession): OpenSession<Data> {
    return new OpenSession(id, stored, decodeData(stored.text) as Data)
  }

  /** @throws {@link HowdahError} SESSION_INVALID_OPTION when it is none of ours */
  static from(session: unknown): OpenSession<object> {
    if (session instanceof OpenSession) return session
    throw sessionError(
      'SESSION_INVALID_OPTION',
      'Pass the session that create() or load() answered, not a copy of it.',
    )
  }

  get id(): string {
    return this.#id
  }

  get ref(): string {
    return this.#stored.hash
  }

  get userId(): string | undefined {
    return this.#stored.user ?? undefined
  }

  get createdAt(): Date {
    return new Date(this.#stored.createdAt)
  }

  get expiresAt(): Date {
    return new Date(this.#stored.expiresAt)
  }

  get expiresIn(): number {
    return Math.max(0, this.#stored.expiresAt - this.#stored.now)
  }

  /** What is known of it to be stored. */
  get stored(): StoredSession {
    return this.#stored
  }

  /** Whether who holds it has ended it. */
  get ended(): boolean {
    return this.#ended
  }

  /** Takes note that it has been ended. */
  end(): void {
    this.#ended = true
  }

  /** Takes note of what is stored now. */
  settle(stored: StoredSession): void {
    this.#stored = stored
  }
}
