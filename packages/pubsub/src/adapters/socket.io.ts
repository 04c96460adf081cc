/**
 * Socket.IO servers as one cluster, over the PostgreSQL your application already runs.
 *
 * @packageDocumentation
 */
export { createAdapter } from './socket-io/create-adapter.js'
export { createEmitter, type EmitterOptions, type SocketIoEmitter } from './socket-io/emitter.js'
export type { AdapterOptions, SocketIoSource } from './socket-io/options.js'
