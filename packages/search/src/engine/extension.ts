import type { Database, Queryable } from '@howdah/core'
import { searchError } from '../errors.js'
import type { Definition } from '../options.js'
import { lookForExtension } from '../sql/look-for-extension.js'
import { unsupported } from './engine.js'
import type { EngineName } from './engine-name.js'
import { checkFieldCount } from './fixed-texts.js'

/**
 * Answers the quoted name of the schema of an extension.
 *
 * @throws {@link HowdahError} SEARCH_ENGINE_MISSING when the database does not have it
 */
export async function probeExtension(
  db: Database,
  name: EngineName,
  install: string,
  client: Queryable,
): Promise<string> {
  const [found] = await db.query(lookForExtension(db.schema, name), client)
  if (typeof found?.schema === 'string') return found.schema
  throw searchError(
    'SEARCH_ENGINE_MISSING',
    found?.available === true
      ? `This database has no ${name}, but the server offers it: ${install}.`
      : `This server has no ${name}. Install it, add it to shared_preload_libraries, restart, and then: ${install}. Or use the engine native, which needs no extension.`,
  )
}

const MAX_WEIGHT = 10

/**
 * A word stands in the index as often as it counts, so weights are whole numbers.
 *
 * @throws {@link HowdahError} SEARCH_UNSUPPORTED
 */
export function checkWeights(definition: Definition): void {
  checkFieldCount(definition)
  const odd = definition.classes.find(
    ({ weight }) => !Number.isInteger(weight) || weight > MAX_WEIGHT,
  )
  if (odd === undefined) return
  throw unsupported(
    definition.engine,
    `knows weights of fields from 1 to ${MAX_WEIGHT} in whole numbers, and ${odd.columns.join(', ')} has ${odd.weight}`,
  )
}
