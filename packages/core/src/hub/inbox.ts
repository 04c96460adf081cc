/**
 * Turns notifications into messages.
 *
 * Invariant: at most one message is being put together. PostgreSQL keeps the notifications of a transaction together and in order,
 * and a poller reads them as one row, so the parts of a message follow one another; whatever comes between
 * them ends the message. Memory is bounded by the largest message.
 */
import { HowdahError } from '../errors.js'
import { decodeEnvelope, decodePart, MAX_PARTS, type Part } from './envelope.js'
import type { Messages } from './message.js'

/** Puts the messages of one transport together. */
export class Inbox {
  #of = ''
  #count = 0
  #texts: string[] = []

  /**
   * Takes the next notification and answers the messages it completes.
   *
   * @throws {@link HowdahError} CORE_HUB_MALFORMED when it is nothing a hub sends
   */
  accept(notification: string): readonly Messages[] {
    if (notification.startsWith('?')) return []
    if (!notification.startsWith('~')) {
      this.#clear()
      return decode(notification)
    }
    const part = decodePart(notification)
    if (part === undefined || part.count > MAX_PARTS || part.index >= part.count) {
      this.#clear()
      throw malformed('its part header cannot be read', notification)
    }
    return this.#add(part, notification)
  }

  #add(part: Part, notification: string): readonly Messages[] {
    if (part.index === 0) {
      this.#of = part.of
      this.#count = part.count
      this.#texts = [part.text]
    } else if (
      part.of === this.#of &&
      part.count === this.#count &&
      part.index === this.#texts.length
    ) {
      this.#texts.push(part.text)
    } else {
      this.#clear()
      throw malformed('it does not continue the part before', notification)
    }
    if (this.#texts.length < this.#count) return []
    const envelope = this.#texts.join('')
    this.#clear()
    return decode(envelope)
  }

  #clear(): void {
    this.#of = ''
    this.#count = 0
    this.#texts = []
  }
}

function decode(envelope: string): Messages[] {
  try {
    return decodeEnvelope(envelope)
  } catch (error) {
    throw malformed(error instanceof Error ? error.message : String(error), envelope)
  }
}

function malformed(reason: string, notification: string): HowdahError {
  return new HowdahError(
    'CORE_HUB_MALFORMED',
    `A notification on the hub's channel was ignored: ${reason}. It begins with ${JSON.stringify(notification.slice(0, 60))}.`,
  )
}
