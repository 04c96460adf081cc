/**
 * Publish and subscribe over the PostgreSQL your application already runs.
 *
 * @packageDocumentation
 */
export { Channel, type Subscription } from './channel.js'
export type { PubSubErrorCode } from './errors.js'
export { migrations } from './migrations/index.js'
export type {
  MessagesOptions,
  PublishOptions,
  PubSubOptions,
  SubscribeOptions,
} from './options.js'
export type { Member } from './presence/member.js'
export {
  Membership,
  Presence,
  type PresenceListener,
  type PresenceSubscription,
} from './presence/presence.js'
export { PubSub, type PubSubEvents } from './pub-sub.js'
