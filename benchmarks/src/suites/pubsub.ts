import type { Suite } from '../suite.js'
import { channelScenarios } from './pubsub-channel.js'
import { streamMeasures, streamScenarios } from './pubsub-stream.js'
import { wsMeasures } from './pubsub-ws.js'

/** Publishing and subscribing against what people use for it. */
export const pubsub: Suite = {
  name: 'pubsub',
  async setup(context) {
    return [...channelScenarios(context), ...(await streamScenarios(context))]
  },
  async measures(context) {
    return [...streamMeasures(context), ...wsMeasures(context)]
  },
}
