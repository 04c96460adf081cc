import { PGlite } from '@electric-sql/pglite'
import { searchConformance } from '@howdah/testkit'
import { afterAll, beforeAll, describe, it, vi } from 'vitest'
import { subjectOf } from './conformance-support.js'

// Texts of a megabyte take their time on a busy machine.
vi.setConfig({ testTimeout: 120_000 })

let pglite: PGlite
beforeAll(() => {
  pglite = new PGlite()
})
afterAll(() => pglite.close())

describe('the engine tsvector on PGlite', () => {
  searchConformance({ describe, it }, () => subjectOf(pglite, [pglite, pglite], 'tsvector', false))
})
