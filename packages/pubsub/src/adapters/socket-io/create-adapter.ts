import type { Adapter } from 'socket.io-adapter'
import { Cluster } from './cluster.js'
import { HowdahAdapter, type NamespaceLike } from './clustered-adapter.js'
import { type AdapterOptions, resolveAdapterOptions } from './options.js'
import { RecoveringAdapter } from './recovering-adapter.js'

/**
 * Makes the adapter through which Socket.IO servers on one PostgreSQL form a cluster: `io.adapter(createAdapter({ pool }))`.
 *
 * @throws {@link HowdahError} PUBSUB_INVALID_OPTION, CORE_INVALID_DURATION, CORE_INVALID_SOURCE
 *
 * @example
 * ```ts
 * import { createAdapter } from '@howdah/pubsub/socket.io'
 * import { Pool } from 'pg'
 * import { Server } from 'socket.io'
 *
 * const io = new Server({ adapter: createAdapter({ pool: new Pool(), onError: console.error }) })
 * io.on('connection', (socket) => {
 *   void socket.join('lobby')
 *   io.to('lobby').emit('joined', socket.id)
 * })
 * io.listen(3000)
 * ```
 */
export function createAdapter(options: AdapterOptions): (nsp: NamespaceLike) => Adapter {
  const resolved = resolveAdapterOptions(options)
  let current: Cluster | undefined
  // Socket.IO calls it with `new`, which an arrow function cannot be.
  return function adapterOf(nsp) {
    current ??= new Cluster(resolved)
    const cluster = current
    const leave = async (adapter: HowdahAdapter): Promise<void> => {
      if (!cluster.remove(adapter)) return
      if (current === cluster) current = undefined
      await cluster.close()
    }
    const AdapterOf = recovers(nsp) ? RecoveringAdapter : HowdahAdapter
    return new AdapterOf(nsp, cluster, leave)
  }
}

function recovers(nsp: NamespaceLike): boolean {
  const { server } = nsp as { readonly server?: { readonly opts?: Record<string, unknown> } }
  return Boolean(server?.opts?.['connectionStateRecovery'])
}
