import { nativeEngine } from '../native/engine.js'
import type { Definition } from '../options.js'
import { pgSearchEngine } from '../pg-search/engine.js'
import { pgTextsearchEngine } from '../pg-textsearch/engine.js'
import { tsvectorEngine } from '../tsvector/engine.js'
import { type SearchEngine, unsupported } from './engine.js'
import { ENGINE_NAMES, type EngineName } from './engine-name.js'

const ENGINES: Readonly<Record<EngineName, SearchEngine>> = {
  native: nativeEngine,
  tsvector: tsvectorEngine,
  pg_textsearch: pgTextsearchEngine,
  pg_search: pgSearchEngine,
}

/** The engine of a name. */
export function engineOf(name: EngineName): SearchEngine {
  return ENGINES[name]
}

/** Refuses what the engine of an index cannot do. @throws {@link HowdahError} SEARCH_UNSUPPORTED */
export function checkEngine(definition: Definition): void {
  const engine = engineOf(definition.engine)
  if (definition.tenant !== undefined && !engine.capabilities.has('tenants')) {
    throw unsupported(engine.name, 'cannot keep tenants apart')
  }
  engine.check(definition)
}

/** The engine that a generation was made with, by the fingerprint of its definition. */
export function engineOfFingerprint(fingerprint: string): SearchEngine {
  const { engine } = JSON.parse(fingerprint || '{}') as { readonly engine?: unknown }
  const name = ENGINE_NAMES.find((known) => known === engine)
  return engineOf(name ?? 'native')
}
