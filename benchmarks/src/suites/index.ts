import type { Suite } from '../suite.js'
import { cache } from './cache.js'
import { core } from './core.js'
import { lanes } from './lanes.js'

export const suites: readonly Suite[] = [core, lanes, cache]
