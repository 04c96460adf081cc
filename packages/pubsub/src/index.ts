/**
 * Publish and subscribe over the PostgreSQL your application already runs.
 *
 * @packageDocumentation
 */
export { Channel } from './channel/channel.js'
export type { MessageContext } from './channel/listeners.js'
export { Pattern, type PatternMessage } from './channel/pattern.js'
export type { Subscription } from './channel/subscription.js'
export type { PubSubErrorCode } from './errors.js'
export type { Consumer } from './group/consumer.js'
export {
  ConsumerGroup,
  type DeadLetter,
  type DeadLetterOptions,
  type OrderedGroup,
} from './group/group.js'
export type {
  ConsumeOptions,
  Delivery,
  GroupHandler,
  GroupMode,
  GroupOptions,
  OrderedDelivery,
  SharedDelivery,
} from './group/group-options.js'
export { hotStatements } from './hot-statements.js'
export { migrations } from './migrations/index.js'
export type {
  ChannelOptions,
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
export type { GroupStats, PubSubStats, StreamStats } from './stats.js'
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
export type { Bootstrap } from './watch/bootstrap.js'
export type { BootstrapOptions, ChangesOptions, WatchOptions } from './watch/options.js'
export type {
  ChangesLost,
  RowAdded,
  RowChange,
  RowKey,
  RowRemoved,
  RowUpdated,
  TableTruncated,
  WatchedChange,
  WatchedRow,
} from './watch/row-change.js'
export { Watch, type WatchSql, type WatchState } from './watch/watch.js'
