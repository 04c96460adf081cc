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
