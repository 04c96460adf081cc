import { nativeEngine } from '../native/engine.js'
import { pgSearchEngine } from '../pg-search/engine.js'
import { pgTextsearchEngine } from '../pg-textsearch/engine.js'
import { tsvectorEngine } from '../tsvector/engine.js'
import type { SearchEngine } from './engine.js'
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

/** The engine that a generation was made with, by the fingerprint of its definition. */
export function engineOfFingerprint(fingerprint: string): SearchEngine {
  const { engine } = JSON.parse(fingerprint || '{}') as { readonly engine?: unknown }
  const name = ENGINE_NAMES.find((known) => known === engine)
  return engineOf(name ?? 'native')
}
