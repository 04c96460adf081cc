import type { Suite } from '../suite.js'
import { cache } from './cache.js'
import { cli } from './cli.js'
import { core } from './core.js'
import { lanes } from './lanes.js'
import { pubsub } from './pubsub.js'
import { queue } from './queue.js'
import { queueFlat } from './queue-flat.js'
import { relevance } from './relevance.js'
import { search } from './search.js'
import { searchVocabulary } from './search-vocabulary.js'
import { session } from './session.js'

export const suites: readonly Suite[] = [
  core,
  lanes,
  cache,
  queue,
  queueFlat,
  pubsub,
  session,
  cli,
  search,
  searchVocabulary,
  relevance,
]
