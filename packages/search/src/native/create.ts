import { tellingFunction } from '../similar/telling-function.js'
import { askFunction } from './ask.js'
import { countFunction, matchedFunction } from './count.js'
import { documentFunction } from './documents.js'
import { fillFunction } from './fill.js'
import { findFunction } from './find.js'
import type { Generation } from './generation.js'
import { judgeFunction } from './judge.js'
import { maintainFunction } from './maintain.js'
import { bitsFunction, cutFunction, maskFunction } from './mask.js'
import { matchFunction, searchFunction } from './match.js'
import { weighFunction } from './score.js'
import { mergeFunction, segmentFunction } from './segments.js'
import { createTables } from './tables.js'
import { ownFunction, tenantFunction, weighTenantFunction } from './tenant-rows.js'
import { createTriggers } from './triggers.js'

/** Statements that make a generation, empty, and have its table's writers keep it from then on. The last ones lock the table. */
export function createGeneration(generation: Generation): string[] {
  return [
    ...createTables(generation),
    documentFunction(generation),
    segmentFunction(generation),
    mergeFunction(generation),
    maintainFunction(generation),
    fillFunction(generation),
    ...(generation.definition.tenant === undefined
      ? [weighFunction(generation), judgeFunction(generation)]
      : [weighTenantFunction(generation), tenantFunction(generation), ownFunction(generation)]),
    bitsFunction(generation),
    maskFunction(generation),
    cutFunction(generation),
    findFunction(generation),
    matchFunction(generation),
    searchFunction(generation),
    matchedFunction(generation),
    countFunction(generation),
    askFunction(generation),
    tellingFunction(generation),
    ...createTriggers(generation),
  ]
}
