/**
 * The client of a gateway, for browsers and for Node: follows channels and streams over one WebSocket that is opened again whenever it is lost.
 *
 * @packageDocumentation
 */
import { Connection, type ConnectOptions } from '../browser/connection.js'

export {
  type ClientError,
  Connection,
  type ConnectionState,
  type ConnectOptions,
} from '../browser/connection.js'
export type { BrowserSocket, BrowserSocketClass } from '../browser/socket.js'
export { BrowserSubscription, type SubscribeHandlers } from '../browser/subscription.js'
export type { FieldCondition, Filter, FilterValue } from '../gateway/filter.js'
export type { SubscriptionState } from '../gateway/protocol.js'

/**
 * Connects to a gateway and stays connected until it is closed: waits grow with each failure, and the page coming into view or the network coming back
 * ends them.
 *
 * @example
 * ```ts
 * import { connect } from '@howdah/pubsub/browser'
 *
 * const connection = connect('wss://app.example.com/realtime')
 * const orders = connection.subscribe<{ id: number }>('orders', {
 *   after: 'earliest',
 *   onMessage: (order, position) => console.log(order.id, position),
 *   onReset: (validUntil) => console.log('take back what came after', validUntil),
 * })
 * orders.close()
 * connection.close()
 * ```
 */
export function connect(url: string, options: ConnectOptions = {}): Connection {
  const connection = new Connection(url, options)
  connection.start()
  return connection
}
