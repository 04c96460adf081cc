import { Coalescer } from '@howdah/core'
import type { PoolConfig } from 'pg'
import type { Suite } from '../suite.js'
import { coalescedGet, coalescedSet, prepareEntries, singleGet, singleSet } from './entries.js'

/** The alternatives weighed in docs/decisions/0001-coalescer.md: more or fewer lanes, pipelining, more callers. */
export const lanes: Suite = {
  name: 'lanes',
  async setup({ pool }) {
    const keyAt = await prepareEntries(pool({ max: 1 }))
    const ours = pool({ max: 10 })
    // `pipeline` came to pg in 8.23 and its types do not know it yet.
    const pipelined = (max: number) => pool({ max, pipeline: true } as PoolConfig)
    const withLanes = (count: number) => new Coalescer({ lanes: count })
    const gets = (callers: number) => ({
      figure: `lanes_2_vs_1_get_${callers}`,
      title: 'Get, by number of lanes',
      callers,
      ours: coalescedGet('2 lanes', ours, keyAt, withLanes(2)),
      peers: [
        coalescedGet('1 lane', ours, keyAt, withLanes(1)),
        coalescedGet('4 lanes', ours, keyAt, withLanes(4)),
        singleGet('pipelined, 1 connection', pipelined(1), keyAt),
        singleGet('pipelined, pool of 10', pipelined(10), keyAt),
      ] as const,
    })
    const sets = (callers: number) => ({
      figure: `lanes_2_vs_1_set_${callers}`,
      title: 'Set, by number of lanes',
      callers,
      ours: coalescedSet('2 lanes', ours, keyAt, withLanes(2)),
      peers: [
        coalescedSet('1 lane', ours, keyAt, withLanes(1)),
        coalescedSet('4 lanes', ours, keyAt, withLanes(4)),
        singleSet('pipelined, 1 connection', pipelined(1), keyAt),
      ] as const,
    })
    return [gets(1), gets(8), gets(64), gets(512), sets(64), sets(512)]
  },
}
