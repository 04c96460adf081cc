/**
 * GraphQL subscriptions between processes, over the PostgreSQL your application already runs.
 *
 * @packageDocumentation
 */
export { GraphQLPubSub } from './graphql/graphql-pub-sub.js'
export type {
  GraphQLPubSubOptions,
  TriggerPublishOptions,
  TriggerSubscribeOptions,
} from './graphql/options.js'
