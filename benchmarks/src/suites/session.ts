import type { Context, Measure, Scenario, Suite } from '../suite.js'
import { callScenarios } from './session-calls.js'
import { SESSIONS } from './session-data.js'
import { requestScenario } from './session-requests.js'
import { bytesOfSessions, fill, openStores, type SizeOfTable } from './session-stores.js'

let sizes: readonly SizeOfTable[] = []

/** Sessions of Express against what people keep them in. */
export const session: Suite = {
  name: 'session',
  async setup(context: Context): Promise<readonly Scenario[]> {
    const stores = await openStores(context)
    await fill(stores)
    // Before anything is overwritten: later the tables hold what vacuum has not come to yet.
    sizes = await bytesOfSessions(stores)
    await stores.pool.query('vacuum analyze')
    if (stores.redis === undefined) return []
    const peers = { ...stores, redis: stores.redis }
    return [...(await callScenarios(peers)), await requestScenario(context, peers)]
  },
  async measures(): Promise<readonly Measure[]> {
    return sizes.flatMap(({ name, figure, heap, indexes }) => [
      measure(`${figure}_heap_bytes`, `${name}: table, for one of ${SESSIONS} sessions`, heap),
      measure(`${figure}_index_bytes`, `${name}: its indexes`, indexes),
    ])
  },
}

function measure(figure: string, title: string, value: number): Measure {
  return { figure, title, unit: 'bytes', run: async () => value }
}
