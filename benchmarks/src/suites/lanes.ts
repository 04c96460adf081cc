import { Coalescer } from '@howdah/core'
import type { Context, Suite } from '../suite.js'
import {
  type Connections,
  coalescedGet,
  coalescedSet,
  prepareEntries,
  singleGet,
  singleSet,
} from './entries.js'

/** The alternatives weighed in docs/decisions/0001-coalescer.md: more or fewer lanes, pipelining, more callers. */
export const lanes: Suite = {
  name: 'lanes',
  async setup({ pool, connect }) {
    const keyAt = await prepareEntries(pool({ max: 1 }))
    const ours = pool({ max: 10 })
    const one = await pipelined(connect, 1)
    const ten = await pipelined(connect, 10)
    const withLanes = (count: number) => new Coalescer({ lanes: count })
    const gets = (callers: number) => ({
      figure: `lanes_2_vs_1_get_${callers}`,
      title: 'Get, by number of lanes',
      callers,
      ours: coalescedGet('2 lanes', ours, keyAt, withLanes(2)),
      peers: [
        coalescedGet('1 lane', ours, keyAt, withLanes(1)),
        coalescedGet('3 lanes', ours, keyAt, withLanes(3)),
        coalescedGet('4 lanes', ours, keyAt, withLanes(4)),
        singleGet('pipelined, 1 connection', one, keyAt),
        singleGet('pipelined, 10 connections', ten, keyAt),
      ] as const,
    })
    const sets = (callers: number) => ({
      figure: `lanes_2_vs_1_set_${callers}`,
      title: 'Set, by number of lanes',
      callers,
      ours: coalescedSet('2 lanes', ours, keyAt, withLanes(2)),
      peers: [
        coalescedSet('1 lane', ours, keyAt, withLanes(1)),
        coalescedSet('3 lanes', ours, keyAt, withLanes(3)),
        coalescedSet('4 lanes', ours, keyAt, withLanes(4)),
        singleSet('pipelined, 1 connection', one, keyAt),
      ] as const,
    })
    return [gets(1), gets(8), gets(64), gets(512), sets(64), sets(512)]
  },
}

/**
 * Connections that send statements without waiting for the answers to earlier ones. Not a pool: a pool gives a connection to
 * one caller at a time, so nothing would be pipelined.
 */
async function pipelined(connect: Context['connect'], count: number): Promise<Connections> {
  const clients = await Promise.all(
    Array.from({ length: count }, () => connect({ pipeline: true })),
  )
  let next = 0
  return {
    query(query) {
      next = (next + 1) % count
      return (clients[next] as (typeof clients)[number]).query(query)
    },
  }
}
