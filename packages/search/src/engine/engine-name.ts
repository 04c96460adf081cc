/** The engines there are, by name. */
export const ENGINE_NAMES = ['native', 'tsvector', 'pg_textsearch', 'pg_search'] as const

/** What keeps the words of an index. */
export type EngineName = (typeof ENGINE_NAMES)[number]
