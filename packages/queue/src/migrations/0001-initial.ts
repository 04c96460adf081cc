import type { Migration } from '@howdah/core'
import { addFunctions } from './functions/add.js'
import { endFunctions } from './functions/end.js'
import { enqueueFunctions } from './functions/enqueue.js'
import { flowFunction } from './functions/flows.js'
import { groupFunctions, rateFunctions } from './functions/groups.js'
import { handOverFunction } from './functions/hand-over.js'
import { historyFunctions } from './functions/history.js'
import { openFunction } from './functions/open.js'
import { operationFunctions } from './functions/operations.js'
import { sealFunction } from './functions/seal.js'
import { settleFunction } from './functions/settle.js'
import { takeFunction } from './functions/take.js'
import { workerFunctions } from './functions/workers.js'
import { createTables, dropTables } from './tables.js'

/** Tables of the native engine, and the functions that are all there is to do with them: SQL and TypeScript mean the same by them. */
export const initial: Migration = {
  version: 1,
  name: 'initial',
  up: (s) => [...createTables(s), ...functions(s)],
  down: (s) => [...functions(s).toReversed().flatMap(dropFunction), ...dropTables(s)],
}

function functions(s: string): string[] {
  return [
    openFunction(s),
    ...addFunctions(s),
    ...groupFunctions(s),
    ...rateFunctions(s),
    ...endFunctions(s),
    settleFunction(s),
    takeFunction(s),
    handOverFunction(s),
    sealFunction(s),
    ...workerFunctions(s),
    ...historyFunctions(s),
    ...operationFunctions(s),
    flowFunction(s),
    ...enqueueFunctions(s),
  ]
}

/** No function of ours is overloaded, so its name is enough. */
function dropFunction(statement: string): string[] {
  const name = /^create function (.*?)\(/.exec(statement)?.[1]
  return name === undefined ? [] : [`drop function ${name}`]
}
