/**
 * How a message travels: the first character of its name on the hub says its form, so that no payload can be taken for one of another form. The rest is the
 * channel's name.
 */
import type { Address, Hub } from '@howdah/core'

/** What channels are registered as at the hub. */
export const HUB_KIND = 'pubsub'

/** The payload is the message. */
export const JSON_FORM = 'j'
/** The payload is the message in base64. */
export const BYTES_FORM = 'b'
/** The payload is the id of a row of `pubsub_spill`. */
export const SPILLED_FORM = 's'

/** A channel as the hub addresses it, in each form. */
export interface Destination {
  readonly name: string
  readonly json: Address
  readonly bytes: Address
  readonly spilled: Address
}

export function destinationOf(hub: Hub, name: string): Destination {
  const form = (letter: string) => hub.address(HUB_KIND, letter + name)
  return {
    name,
    json: form(JSON_FORM),
    bytes: form(BYTES_FORM),
    spilled: form(SPILLED_FORM),
  }
}
