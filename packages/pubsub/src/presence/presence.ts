import { pubSubError } from '../errors.js'
import type { Member } from './member.js'
import { encodePresenceData, resolvePresenceText } from './options.js'
import type { OwnMember } from './own-members.js'
import type { Presences } from './presences.js'
import type { MemberListener } from './watch.js'

/** What {@link Presence.subscribe} calls. */
export interface PresenceListener<T> {
  /** Someone is there, first of all everyone who is there already. */
  readonly onJoin?: ((member: Member<T>) => void) | undefined
  /** The data of someone who is there changed. */
  readonly onUpdate?: ((member: Member<T>) => void) | undefined
  /** Someone's last membership has ended, by `leave()` or with its process. */
  readonly onLeave?: ((member: Member<T>) => void) | undefined
}

/** A place from which members are watched. */
export interface PresenceSubscription extends AsyncDisposable {
  /** Stops the calls. */
  close(): Promise<void>
}

/** One time that someone joined; ends by {@link Membership.leave}, with the {@link PubSub}, or with the process. */
export class Membership<T = unknown> implements AsyncDisposable {
  readonly #presences: Presences
  readonly #member: OwnMember
  readonly #assertOpen: () => void

  /** @internal */
  constructor(presences: Presences, member: OwnMember, assertOpen: () => void) {
    this.#presences = presences
    this.#member = member
    this.#assertOpen = assertOpen
  }

  /** Who joined. */
  get id(): string {
    return this.#member.id
  }

  /**
   * Replaces the data. Resolves once it is stored; where that fails it is tried again in the background.
   *
   * @throws {@link HowdahError} PUBSUB_NOT_PRESENT when this membership has ended
   * @throws {@link HowdahError} PUBSUB_CLOSED when the PubSub is closed
   * @throws {@link HowdahError} PUBSUB_INVALID_MESSAGE when the data has no JSON form
   * @throws {@link HowdahError} CORE_PAYLOAD_TOO_LARGE above 64 KiB
   */
  async update(data?: T): Promise<void> {
    this.#assertOpen()
    if (this.#member.leaves) {
      throw pubSubError('PUBSUB_NOT_PRESENT', 'This membership has ended. Call join() again.')
    }
    await this.#presences.update(this.#member, encodePresenceData(data))
  }

  /** Ends the membership. Resolves once that is stored; does nothing the second time. */
  async leave(): Promise<void> {
    await this.#presences.leave(this.#member)
  }

  /** Leaves at the end of an `await using` block. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.leave()
  }
}

/**
 * Who is there, under one name, in all processes; made by {@link PubSub.presence}.
 *
 * A member is there for as long as its process is connected, without any heartbeat being written: it is gone within seconds of a crash. After a
 * lost connection, or a restart of the server, a process enters its members again by itself.
 */
export class Presence<T = unknown> {
  readonly #presences: Presences
  readonly #assertOpen: () => void

  /** The presence's name. Presences of one name on one database are one, in whatever process. */
  readonly name: string

  /** @internal */
  constructor(name: string, presences: Presences, assertOpen: () => void) {
    this.name = name
    this.#presences = presences
    this.#assertOpen = assertOpen
  }

  /**
   * Lets someone be there. Resolves once everyone can see it; while the database cannot be reached for the first connection it goes on
   * trying. The same id may join many times, from here or elsewhere: it is there until it has left as many times.
   *
   * @param id - who it is: text of 1 to 1000 characters
   * @param data - what others are to know, up to 64 KiB of JSON; every process that watches keeps it
   * @throws {@link HowdahError} PUBSUB_INVALID_OPTION when the id is not such text
   * @throws {@link HowdahError} PUBSUB_INVALID_MESSAGE when the data has no JSON form
   * @throws {@link HowdahError} CORE_PAYLOAD_TOO_LARGE above 64 KiB
   * @throws {@link HowdahError} PUBSUB_CLOSED when the PubSub is closed, also meanwhile
   */
  async join(id: string, data?: T): Promise<Membership<T>> {
    this.#assertOpen()
    resolvePresenceText(id, 'The id of a member')
    const member = await this.#presences.join(this.name, id, encodePresenceData(data))
    this.#assertOpen()
    return new Membership(this.#presences, member, this.#assertOpen)
  }

  /** Reads who is there now, the longest first. One query; nothing needs to be watched for it. */
  async list(): Promise<Member<T>[]> {
    this.#assertOpen()
    return (await this.#presences.list(this.name)) as Member<T>[]
  }

  /**
   * Calls `onJoin` for everyone who is there, then resolves, and tells every change from then on. Nothing is missed, also over a lost
   * connection: what changed meanwhile is told afterwards. Who vanishes without a word is told to have left after 3 to 7 seconds, so that a
   * process that connects again in that time is not noticed.
   *
   * @throws {@link HowdahError} PUBSUB_INVALID_OPTION when what is given are no functions
   * @throws {@link HowdahError} PUBSUB_CLOSED when the PubSub is closed
   */
  async subscribe(listener: PresenceListener<T>): Promise<PresenceSubscription> {
    this.#assertOpen()
    const close = await this.#presences.watch(this.name, checked(listener))
    return { close, [Symbol.asyncDispose]: close }
  }
}

function checked<T>(listener: PresenceListener<T>): MemberListener {
  const { onJoin, onUpdate, onLeave } = listener ?? {}
  const calls = [onJoin, onUpdate, onLeave]
  const functions = calls.filter((call) => typeof call === 'function')
  if (
    functions.length === 0 ||
    functions.length < calls.filter((call) => call !== undefined).length
  ) {
    throw pubSubError(
      'PUBSUB_INVALID_OPTION',
      'Give at least one of onJoin, onUpdate and onLeave, each a function of a member.',
    )
  }
  return {
    onJoin: (member) => onJoin?.(member as Member<T>),
    onUpdate: (member) => onUpdate?.(member as Member<T>),
    onLeave: (member) => onLeave?.(member as Member<T>),
  }
}
