import type { Suite } from '../suite.js'
import { typoRecovery } from './relevance-typos.js'

/** How good the results are, on public test collections. */
export const relevance: Suite = {
  name: 'relevance',
  setup: async () => [],
  measures: async (context) => [...(await typoRecovery(context))],
}
