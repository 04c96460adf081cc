import type { Suite } from '../suite.js'
import { channelScenarios } from './pubsub-channel.js'

/** Publishing and subscribing against what people use for it. */
export const pubsub: Suite = {
  name: 'pubsub',
  async setup(context) {
    return [...channelScenarios(context)]
  },
}
