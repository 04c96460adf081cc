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
export { PubSub, type PubSubEvents } from './pub-sub.js'
export type {
  After,
  Batch,
  BatchesOptions,
  Continuity,
  ReadOptions,
  StreamMessage,
} from './stream/batch.js'
export type {
  Appended,
  AppendManyOptions,
  AppendOptions,
  Discontinuity,
  FollowOptions,
  MessageOptions,
  NewMessage,
  Retention,
  StreamOptions,
} from './stream/options.js'
export { Stream } from './stream/stream.js'
export type { StreamSubscription } from './stream/subscriber.js'
