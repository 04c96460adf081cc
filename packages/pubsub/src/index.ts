/**
 * Publish and subscribe over the PostgreSQL your application already runs.
 *
 * @packageDocumentation
 */
export { Channel } from './channel.js'
export type { PubSubErrorCode } from './errors.js'
export type { MessageContext } from './listeners.js'
export { migrations } from './migrations/index.js'
export type {
  ChannelOptions,
  MessagesOptions,
  PublishOptions,
  PubSubOptions,
  SubscribeOptions,
} from './options.js'
export { Pattern, type PatternMessage } from './pattern.js'
export { PubSub, type PubSubEvents } from './pub-sub.js'
export type { Subscription } from './subscription.js'
