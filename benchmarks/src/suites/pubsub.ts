import type { Suite } from '../suite.js'
import { channelScenarios } from './pubsub-channel.js'
import { streamMeasures, streamScenarios } from './pubsub-stream.js'
import { measureWsFrames } from './pubsub-ws.js'

/** Publishing and subscribing against what people use for it. */
export const pubsub: Suite = {
  name: 'pubsub',
  async setup(context) {
    return [...channelScenarios(context), ...(await streamScenarios(context))]
  },
  async measures(context) {
    return [
      ...streamMeasures(context),
      {
        figure: 'ws_frames_per_core_second',
        title:
          'Frames of 100 bytes that a WebSocket gateway delivers to 500 clients of a stream, a second of its CPU time',
        unit: '/s',
        run: async () => (await measureWsFrames(context)).value,
      },
    ]
  },
}
