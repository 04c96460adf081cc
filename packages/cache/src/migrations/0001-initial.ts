import type { Migration } from '@howdah/core'
import { entryTable, FAMILIES } from './family.js'
import { clearFunction } from './functions/clear.js'
import { countFunction } from './functions/count.js'
import { evictFunctions } from './functions/evict.js'
import { leaseFunctions } from './functions/lease.js'
import { openFunction } from './functions/open.js'
import { putFunctions } from './functions/put.js'
import { removeFunction } from './functions/remove.js'
import { sqlApi } from './functions/sql-api.js'
import { sweepFunctions } from './functions/sweep.js'
import { tagFunction } from './functions/tags.js'
import { tellFunctions, tellTrigger } from './functions/tell.js'
import { touchFunctions } from './functions/touch.js'
import { nearFunctions } from './near.js'
import { createTables, dropTables } from './tables.js'

/**
 * Tables and functions of the cache. Writes are functions, so that SQL and TypeScript mean the same by them, and near caches hear of
 * both.
 */
export const initial: Migration = {
  version: 1,
  name: 'initial',
  up: (s) => [...createTables(s), ...functions(s), ...triggers(s)],
  down: (s) => [...dropTables(s), ...functions(s).toReversed().map(dropFunction)],
}

function functions(s: string): string[] {
  return [
    openFunction(s),
    ...tellFunctions(s),
    ...FAMILIES.flatMap((family) => [
      ...putFunctions(s, family),
      removeFunction(s, family),
      ...touchFunctions(s, family),
      countFunction(s, family),
      ...leaseFunctions(s, family),
      ...evictFunctions(s, family),
    ]),
    tagFunction(s),
    clearFunction(s),
    ...sweepFunctions(s),
    ...nearFunctions(s),
    ...sqlApi(s),
  ]
}

function triggers(s: string): string[] {
  return FAMILIES.map((family) => tellTrigger(s, entryTable(s, family)))
}

/** No function of ours is overloaded, so its name is enough. */
function dropFunction(create: string): string {
  const name = /^create function (.*?)\(/.exec(create)?.[1]
  return `drop function ${name}`
}
